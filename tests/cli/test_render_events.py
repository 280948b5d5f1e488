"""Events: sender, addressee and message of each event, by time."""

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from cli.sample_messages import TEXTS, sealed
from cordyna_cli.render.run.events import events_table
from cordyna_core.contract.registry import MESSAGES
from cordyna_core.contract.state_updates import TaskStateChanged

GOLDEN_MESSAGES = Path(__file__).parents[1] / "contract" / "golden"


def test_events_table_has_a_line_for_each_message() -> None:
    assert [line.plain for line in events_table(TEXTS)] == GOLDEN.strip("\n").split("\n")


def test_events_table_fits_the_terminal() -> None:
    for width in (50, 80, 120):
        assert max(cell_len(line.plain) for line in events_table(TEXTS, width)) <= width


def test_large_output_is_shown_by_its_size() -> None:
    large = TaskStateChanged(
        server="s",
        run_id="0" * 26,
        task="t",
        attempt=1,
        state="completed",
        output={"x": "y" * 2000},
    )

    assert events_table([sealed("cordyna.server.s", large, 0)])[1].plain.endswith(
        "completed with an output of 2,009 bytes"
    )


def test_events_table_names_everyone_in_full_at_120_columns() -> None:
    lines = [line.plain for line in events_table(TEXTS, 120)]

    assert not any("…" in line for line in lines)
    assert any("→ every server" in line for line in lines)


def test_events_table_is_in_order_of_time() -> None:
    """One that cannot be read stays behind the one before it."""
    passed = [TEXTS[2], TEXTS[-1], TEXTS[0], TEXTS[1]]

    assert [line.plain.split()[0] for line in events_table(passed)[1:]] == [
        "03:04:05.000",
        "03:04:05.250",
        "03:04:05.500",
        "?",
    ]


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_message_of_the_contract_has_a_line(name: str) -> None:
    """Also one that the table of details does not name."""
    golden = json.loads((GOLDEN_MESSAGES / f"{name}.json").read_text())

    (_, line) = events_table([json.dumps(golden)])

    assert name in line.plain


def test_refusal_of_a_tasks_invocation_is_to_that_task() -> None:
    golden = json.loads((GOLDEN_MESSAGES / "InvocationRejected.json").read_text())
    golden["detail"] |= {"run_id": "0" * 26, "by_task": "asker"}

    (_, line) = events_table([json.dumps(golden)])

    assert "⇢ asker" in line.plain


GOLDEN = """
time (UTC)    sender          addressee       message              task/attempt  state, reason
03:04:05.000  server-a        ⇢ cerebro       ServerDeclared                     1 task
03:04:05.250  cerebro         ⇢ server-a      DeclarationAccepted                generation 1
03:04:05.500  cerebro         ⇢ server-b      DeclarationRejected                task-3 needs \
itself
03:04:05.750  server-a        ⇢ cerebro       ServerStateChanged                 ready
03:04:06.000  cerebro         → every server  DescribeServer
03:04:06.250  cerebro         → server-b      DescribeServer
03:04:06.500  client          → cerebro       InvokeTask           task-3        {"day": \
"monday"} key k
03:04:06.750  scheduler       → cerebro       InvokeTask           task-2        for \
2026-01-02 03:04Z
03:04:07.000  client.ci       → cerebro       InvokeTask           task-9
03:04:07.250  cerebro         ⇢ client        InvocationRejected   task-9        no server \
declares task-9
03:04:07.500  cerebro         → server-a      RunTask              task-1/1      answer by \
03:04:15Z
03:04:07.750  server-a        ⇢ cerebro       TaskStateChanged     task-1/1      queued
03:04:08.000  server-a        ⇢ cerebro       TaskStateChanged     task-1/1      started 50% \
reading monday
03:04:08.250  server-a        ⇢ cerebro       TaskStateChanged     task-1/1      completed \
{"rows": 3}
03:04:08.500  server-a        ⇢ cerebro       TaskStateChanged     task-1/2      error failed \
ValueError: bad row 7
03:04:08.750  cerebro         ⇢ everyone      RunStateChanged      task-3        error task-1 \
failed (2 tasks blocked)
03:04:09.000  client          → cerebro       CancelRun
03:04:09.250  client          → cerebro       RetryRun                           from task-1
03:04:09.500  cerebro         → server-a      CancelTask           task-1/2      nothing of \
attempt 2 may run on
03:04:09.750  another.source  → cerebro       InvokeTask           task-3
              ?                               unreadable                         the event: \
Input should be an object: "not an event"
"""

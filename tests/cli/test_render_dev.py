"""dyna dev: what happens, line by line, for the person in front of it."""

import json
import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cli.run_builders import RUN, at
from cli.sample_messages import TEXTS, sealed
from cordyna_cli.render.dev import DevLines, ready_line
from cordyna_cli.wording.foreign_text import UNPRINTABLE
from cordyna_core.contract.base import ErrorDescription, Problem
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.incidents import GraphChanged, IncidentOpened
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationRejected,
    InvocationRejected,
    ServerStateChanged,
    TaskStateChanged,
)
from cordyna_core.contract.views.runs import LogLine, PassedEvent

SALES = "cordyna.server.sales"
CEREBRO = "cordyna.cerebro"


def passed(*texts: str, width: int | None = None, **options: Any) -> list[str]:
    rendered = DevLines(width, **options)
    events = [PassedEvent(seq=seq, text=text) for seq, text in enumerate(texts)]
    return [line.plain for event in events for line in rendered.lines(event)]


def a_line(text: str, stream: str = "stdout") -> LogLine:
    fields = {"run_id": RUN, "task": "task-1", "attempt": 1, "at": at(1)}
    return LogLine.model_validate({**fields, "stream": stream, "text": text})


def changed(state: str, **more: Any) -> str:
    fields = {"server": "sales", "run_id": RUN, "task": "x", "attempt": 1, "state": state}
    return sealed(SALES, TaskStateChanged.model_validate({**fields, **more}), 0)


def test_dev_shows_each_message_with_run_and_task() -> None:
    assert passed(*TEXTS) == GOLDEN.strip("\n").split("\n")


def test_dev_names_a_server_that_is_loaded_and_reloaded() -> None:
    declared = ServerDeclared(server="sales", tasks=[TaskDeclaration(name="x")])
    lines = passed(
        sealed(SALES, ServerStateChanged(server="sales", state="ready"), 0),
        sealed(SALES, ServerStateChanged(server="sales", state="ready"), 1),
        sealed(SALES, declared, 2),
        sealed(CEREBRO, GraphChanged(server="sales", generation=2, changed=["x"]), 2),
        sealed(CEREBRO, DeclarationAccepted(server="sales", generation=2), 2),
        sealed(CEREBRO, DeclarationAccepted(server="sales", generation=2), 3),
        sealed(SALES, ServerStateChanged(server="sales", state="draining"), 3),
        tasks_of={"sales": 3},
    )

    assert [line.split("  ")[-1].strip() for line in lines] == [
        "loaded sales (3 tasks)",
        "reloaded sales (3 tasks)",
        "GraphChanged from cerebro: generation 2",
        "reloaded sales (1 task)",
        "sales is draining",
    ]


def test_dev_names_only_the_server_whose_declaration_changed() -> None:
    """All servers of a home are declared together."""
    servers = ("sales", "stock")
    lines = passed(
        *(sealed(SALES, ServerStateChanged(server=server, state="ready"), 0) for server in servers),
        sealed(CEREBRO, GraphChanged(server="stock", generation=2, added=["y"]), 1),
        *(
            sealed(CEREBRO, DeclarationAccepted(server=server, generation=2), 1)
            for server in servers
        ),
    )

    assert [line.split("  ")[-1].strip() for line in lines if "loaded" in line] == [
        "loaded sales",
        "loaded stock",
        "reloaded stock",
    ]


def test_dev_aligns_servers_of_any_length_from_the_first() -> None:
    servers = {"api": 1, "warehouse-eu": 2}
    ready = (ServerStateChanged(server=server, state="ready") for server in servers)

    lines = passed(*(sealed(SALES, message, 0) for message in ready), tasks_of=servers)

    assert len({line.index("loaded") for line in lines}) == 1


def test_dev_follows_the_width_of_the_terminal() -> None:
    rendered = DevLines(200)
    item = a_line("words " * 20)

    assert len(rendered.lines(item)) == 1
    rendered.width = 60
    assert max(line.cell_len for line in rendered.lines(item)) <= 60


def test_dev_remembers_no_more_after_many_runs() -> None:
    """A service passes any number of runs."""
    rendered = DevLines()

    def pass_run(number: int) -> int:
        for state in ("started", "completed"):
            text = changed(state).replace(RUN, f"{number:026d}")
            rendered.lines(PassedEvent(seq=number, text=text))
        return len(pickle.dumps(vars(rendered)))

    sizes = {pass_run(number) for number in range(100)}

    assert len(sizes) == 1


def test_dev_says_why_a_server_is_not_loaded() -> None:
    problems = [Problem(code="not_loaded", message="SyntaxError:\n line 3")]
    rejected = DeclarationRejected(server="sales", problems=problems)

    lines = passed(sealed(CEREBRO, rejected, 0))

    assert lines[0].endswith("sales not loaded:")
    assert lines[1:] == ["          SyntaxError:", "           line 3"]


def test_dev_shows_the_error_of_an_incident_once() -> None:
    """The event that opened it is the line before."""
    text = "2 ticks of 'x' were missed"
    refused = InvocationRejected(
        event_id="t", task="x", problems=[Problem(code="missed_tick", message=text)]
    )
    fields = {
        "incident": RUN,
        "kind": "missed_cron",
        "task": "x",
        "opened_at": at(0),
        "error": ErrorDescription(type="missed_tick", message=text),
        "summary": f"a run of x by its cron never began: missed_tick: {text}",
    }
    opened = IncidentOpened.model_validate(fields)
    unexplained = IncidentOpened.model_validate({**fields, "error": None, "summary": "x: y: z"})

    lines = passed(*(sealed(CEREBRO, message, 0) for message in (refused, opened, unexplained)))

    assert [line.partition("from cerebro: ")[2] for line in lines] == [
        text,
        "a run of x by its cron never began",
        "x: y: z",
    ]


def test_dev_shows_the_traceback_of_a_failure_and_next() -> None:
    error = ErrorDescription(type="E", message="bad", traceback="Traceback:\n  line 3\x1b[31m")

    assert passed(changed("error", reason="failed", error=error))[1:] == [
        "          Traceback:",
        "            line 3",
        f"          next: dyna why {RUN} x",
    ]


def test_dev_of_cancelled_attempt_has_no_next() -> None:
    assert len(passed(changed("error", reason="cancelled"))) == 1


def test_dev_tags_printed_lines_with_their_server() -> None:
    rendered = DevLines()
    for seq, text in enumerate(TEXTS):
        rendered.lines(PassedEvent(seq=seq, text=text))

    lines = [rendered.lines(a_line("row 1\n"))[0], rendered.lines(a_line("oh", "stderr"))[0]]

    assert [line.plain for line in lines] == [
        "03:04:06  KMZW1F  server-a  task-1    │ row 1",
        "03:04:06  KMZW1F  server-a  task-1    ! oh",
    ]
    assert lines[0].spans[2].style == rendered.lines(a_line("again"))[0].spans[2].style


def test_dev_shows_what_happened_below_long_names() -> None:
    server, task = "analytics-warehouse-server-eu1", "load_customer_orders_daily"
    fields = {"server": server, "run_id": RUN, "task": task, "attempt": 2, "state": "error"}
    error = {"type": "ValueError", "message": "no such day in the orders"}
    message = TaskStateChanged.model_validate({**fields, "reason": "failed", "error": error})

    lines = passed(sealed(f"cordyna.server.{server}", message, 0), width=80)

    assert [line.strip() for line in lines[:2]] == [
        f"03:04:05  {RUN[:6]}  {server}  {task}/2",
        "✗ error failed ValueError: no such day in the orders",
    ]
    assert lines[1].startswith(" " * 10 + "✗")


def test_dev_shows_an_event_that_cannot_be_read() -> None:
    assert "unreadable event: " in passed("no event")[0]


def test_dev_begins_with_servers_and_tasks() -> None:
    assert ready_line(["sales", "stock"], 5) == "5 tasks on sales and stock; Ctrl-C ends this"
    assert ready_line([], 0) == "0 tasks; Ctrl-C ends this"


@given(text=st.text(max_size=200), width=st.integers(20, 200))
def test_dev_lines_fit_and_have_no_control_characters(text: str, width: int) -> None:
    """Foreign text in an output, an error, a message and a printed line."""
    text = text.encode("utf-8", "replace").decode()
    error = ErrorDescription(type="E", message=text, traceback=text)
    lines = [
        *passed(
            changed("error", reason="failed", error=error),
            changed("completed", output=text),
            changed("started", message=text[:100], progress=0.5),
            json.dumps(text),
            width=width,
        ),
        *(line.plain for line in DevLines(width).lines(a_line(text))),
    ]

    assert not any(UNPRINTABLE.search(line) for line in lines)


GOLDEN = """
03:04:05          server-a            loaded server-a (1 task)
03:04:05          server-b            server-b not loaded:
          task-3 needs itself
03:04:05          server-a            reloaded server-a (1 task)
03:04:06          *                   DescribeServer from cerebro
03:04:06          server-b            DescribeServer from cerebro
03:04:06                    task-3    invoked by client {"day": "monday"} key k
03:04:06                    task-2    invoked by scheduler for 2026-01-02 03:04Z
03:04:07                    task-9    invoked by client.ci
03:04:07                    task-9    InvocationRejected from cerebro: no server declares task-9
03:04:07  KMZW1F  server-a  task-1    sent
03:04:07  KMZW1F  server-a  task-1    ◔ queued
03:04:08  KMZW1F  server-a  task-1    ● 50% reading monday
03:04:08  KMZW1F  server-a  task-1    ✓ completed {"rows": 3}
03:04:08  KMZW1F  server-a  task-1/2  ✗ error failed ValueError: bad row 7
          next: dyna why KMZW1FWRG1SGZAXFDC5BST99ZJ task-1
03:04:08  KMZW1F            task-3    run error: task-1 failed (2 tasks blocked)
03:04:09  KMZW1F                      CancelRun from client
03:04:09  KMZW1F                      RetryRun from client: from task-1
03:04:09                    task-3    invoked by another.source
                                      unreadable event: the event: Input should be an object
"""

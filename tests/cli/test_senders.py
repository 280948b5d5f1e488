"""Senders: `runs` and `show` name who invoked a run."""

from datetime import UTC, datetime, timedelta

import pytest

from cordyna_cli.render.lists import runs_table
from cordyna_cli.render.run.outcome import whole_run
from cordyna_cli.wording.senders import named_sender
from cordyna_core.contract.ids import SCHEDULER
from cordyna_core.contract.views.runs import RunSummary, RunView

NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)


def a_run(number: int, source: str | None) -> RunSummary:
    at = NOW - timedelta(seconds=number)
    return RunSummary(
        run_id=f"RUN{number}",
        task="a",
        state="completed",
        created_at=at,
        source=source,
        scheduled_at=at if source == SCHEDULER else None,
    )


def listed(*sources: str | None) -> list[str]:
    runs = [a_run(number, source) for number, source in enumerate(sources)]
    return [line.plain.rstrip() for line in runs_table(runs, NOW)]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("cordyna.client.alice", "alice"),
        ("cordyna.client.ci.nightly", "ci.nightly"),
        ("cordyna.server.sales", "sales"),
        ("cordyna.client", None),
        ("cordyna.scheduler", None),
        (None, None),
    ],
)
def test_named_sender_is_a_person_program_or_server(source: str | None, name: str | None) -> None:
    assert named_sender(source) == name


def test_runs_show_who_invoked_them_where_it_is_known() -> None:
    head, by_alice, by_cron = listed("cordyna.client.alice", SCHEDULER)
    assert head.endswith("by")
    assert by_alice.endswith("  alice")
    assert by_cron.endswith("  cron")


def test_runs_of_plain_clients_have_no_further_column() -> None:
    assert not listed("cordyna.client", None)[0].endswith("by")


@pytest.mark.parametrize(
    ("source", "words"), [("cordyna.client.alice", "run R by alice"), ("cordyna.client", "run R")]
)
def test_show_names_who_invoked_the_run(source: str, words: str) -> None:
    view = RunView(run_id="R", task="a", state="completed", source=source)
    text = [line.plain for line in whole_run(view, NOW, None, everything=False)]
    assert any(line.endswith(words) for line in text)

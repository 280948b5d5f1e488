"""Invocation: `show` says when a run was invoked, by whom, and with which parameters."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cli.fake_engine import FakeEngine
from cli.run_builders import completed_run
from cli.run_dyna import dyna
from cordyna_cli.render.run.outcome import invocation_lines
from cordyna_core.contract.ids import SCHEDULER
from cordyna_core.contract.views.runs import RunView

NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)


def sentence(width: int | None = None, **fields: Any) -> list[str]:
    view = RunView(run_id="R", task="a", state="running", **fields)
    return [line.plain for line in invocation_lines(view, NOW, width)]


def test_invocation_by_a_client_has_its_time_and_its_params() -> None:
    at = NOW - timedelta(hours=2)
    params = {"day": "monday", "top": 5, "code": "7"}
    assert sentence(created_at=at, source="cordyna.client", params=params) == [
        'invoked 10:00:00Z (2 h 00 m ago), with day=monday top=5 code="7"'
    ]


def test_invocation_by_a_person_names_the_person() -> None:
    assert sentence(created_at=NOW, source="cordyna.client.alice") == [
        "invoked 12:00:00Z (0 ms ago) by alice"
    ]


def test_invocation_by_a_cron_names_its_tick() -> None:
    tick = NOW - timedelta(days=1)
    late = tick + timedelta(seconds=2)
    assert sentence(created_at=late, source=SCHEDULER, scheduled_at=tick) == [
        "invoked 2026-11-04 12:00:02Z (23 h 59 m ago) by cron for 2026-11-04 12:00:00Z"
    ]


def test_invocation_with_labels_shows_them() -> None:
    labels = {"via": "console", "ticket": "OPS-7"}
    assert sentence(created_at=NOW, params={"day": "monday"}, labels=labels) == [
        "invoked 12:00:00Z (0 ms ago), with day=monday, labelled via=console ticket=OPS-7"
    ]


def test_invocation_of_an_unknown_time_is_not_shown() -> None:
    assert sentence(params={"day": "monday"}) == []


def test_invocation_with_long_params_is_cut_and_wrapped() -> None:
    lines = sentence(40, created_at=NOW, params={f"p{number}": "word" for number in range(90)})
    assert all(len(line) <= 40 for line in lines)
    assert lines[-1].endswith("...")
    assert len(" ".join(lines)) < 300


def test_show_begins_with_the_invocation() -> None:
    view = completed_run().model_copy(update={"created_at": NOW, "params": {"day": "monday"}})
    first = dyna("show", engine=FakeEngine(views=[view])).out.splitlines()[0]
    assert first.startswith("invoked ")
    assert first.endswith(", with day=monday")

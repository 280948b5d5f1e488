"""dyna runs: its filters; and which run is meant where none is named."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.fake_engine import FakeEngine
from cli.run_builders import RUN, T0, a_run, a_task
from cli.run_dyna import NOW, dyna
from cordyna_cli.input.parse_time import parse_moment
from cordyna_cli.usage_error import UsageError
from cordyna_core.contract.views.runs import RunSummary


def a_summary(letter: str, **more: Any) -> RunSummary:
    fields = {"run_id": letter * 26, "task": "x", "state": "completed", "created_at": T0, **more}
    return RunSummary.model_validate(fields)


RUNS = [
    a_summary("A", task="y", state="running"),
    a_summary("B", state="error"),
    a_summary("C", state="error", cancelled=True),
    a_summary("D", created_at=T0 - timedelta(days=2)),
]


@pytest.mark.parametrize(
    ("options", "letters"),
    [
        ((), "ABCD"),
        (("--task", "y"), "A"),
        (("--state", "error"), "B"),
        (("--state", "cancelled"), "C"),
        (("--since", "1d"), "ABC"),
        (("--since", "2026-01-01"), "ABC"),
        (("--until", "1d"), "D"),
        (("--since", "3d", "--until", "2026-01-02"), "D"),
        (("--state", "completed", "--since", "3d", "-n", "5"), "D"),
    ],
)
def test_runs_options_select_runs(options: tuple[str, ...], letters: str) -> None:
    result = dyna("runs", *options, engine=FakeEngine(summaries=RUNS))

    assert [line[0] for line in result.out.splitlines()[1:]] == list(letters)


def test_runs_show_a_cancelled_run_as_such() -> None:
    result = dyna("runs", "--state", "cancelled", engine=FakeEngine(summaries=RUNS))

    assert "⊗ cancelled" in result.out


def test_runs_without_match_names_the_list() -> None:
    result = dyna("runs", "--task", "z", engine=FakeEngine(summaries=RUNS))

    assert result.err == "no run matches\n  next: dyna runs\n"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T08:00", datetime(2026, 1, 1, 8, tzinfo=UTC)),
        ("2026-01-01T08:00+02:00", datetime(2026, 1, 1, 6, tzinfo=UTC)),
    ],
)
def test_since_is_a_duration_or_a_date(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW, "--since") == moment


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-13-01", "99999999999999d", "", "0001-01-01T00:00+14:00", "9" * 5_000],
)
def test_since_that_is_neither_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="neither a duration nor a date"):
        parse_moment(text, NOW, "--since")


@pytest.mark.parametrize("command", ["show", "why", "timeline"])
@pytest.mark.parametrize(
    "sources",
    [
        ("cordyna.scheduler", "cordyna.client"),
        ("cordyna.server.a", "cordyna.client.alice"),
        (None, "cordyna.client"),
        ("cordyna.scheduler", "cordyna.scheduler"),
    ],
)
def test_missing_run_is_the_last_one_of_a_person(
    command: str, sources: tuple[str | None, str | None]
) -> None:
    """The last run that a person invoked; without one, the last run."""
    newest, earlier = sources
    runs = [a_summary("A", source=newest), a_summary("B", source=earlier)]
    expected = "A" if earlier == newest else "B"
    view = a_run(a_task("x", "", "completed@1"), state="completed", run_id=expected * 26)

    result = dyna(command, engine=FakeEngine(views=[view], summaries=runs))

    assert (result.status, result.err) == (0, "")


def test_run_that_was_cancelled_is_shown_as_such() -> None:
    view = a_run(a_task("x", "", "error:cancelled@1"), state="error", cancelled=True)

    assert dyna("why", engine=FakeEngine(views=[view])).out.startswith("⊗ x was cancelled.")
    assert view.run_id == RUN

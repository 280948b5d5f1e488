"""Recent runs: what is kept of a run is what became of its tasks, even after a retry."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cordyna_console.recent_runs import KEPT_S, RUNS_KEPT, RecentRuns
from cordyna_core.contract.views.runs import RunView

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class EngineOfOneTask:
    """Its runs are in `state`, and so is their only task. Counts what is read."""

    def __init__(self, state: Any) -> None:
        self.state = self.word = state
        self.readings = 0

    def structure(self, _: str) -> Any:
        return SimpleNamespace(task=["load"])

    def facts(self, run_id: str) -> Any:
        self.readings += 1
        return SimpleNamespace(
            columns=SimpleNamespace(task=[0], word=[0]),
            words=[(self.word, None)],
            excerpt=RunView(run_id=run_id, task="load", state=self.state),
        )


@pytest.fixture
def engine() -> Any:
    return EngineOfOneTask("error")


def word(recent: RecentRuns, engine: Any, state: str, at: datetime = NOON) -> str:
    return recent.words_of(engine, "run", state, at)["load"][0]


def test_run_that_has_ended_is_read_once(engine: Any) -> None:
    recent = RecentRuns()
    assert [word(recent, engine, "error") for _ in range(3)] == ["error"] * 3
    assert engine.readings == 1


def test_run_that_ended_after_it_was_listed_is_read_again(engine: Any) -> None:
    """Kept as running, it would be shown as it ended once it runs again."""
    recent = RecentRuns()
    assert word(recent, engine, "running") == "error"
    engine.state, engine.word = "running", "started"
    assert word(recent, engine, "running") == "started"


def test_retry_that_ends_in_the_same_state_is_read_again(engine: Any) -> None:
    recent = RecentRuns()
    word(recent, engine, "error")
    engine.word = "completed"
    later = NOON + timedelta(seconds=KEPT_S)
    assert word(recent, engine, "error", later - timedelta(seconds=1)) == "error"
    assert word(recent, engine, "error", later) == "completed"


def test_runs_that_are_kept_are_bounded(engine: Any) -> None:
    recent = RecentRuns()
    for number in range(RUNS_KEPT + 1):
        recent.words_of(engine, f"run-{number}", "error", NOON)
    recent.words_of(engine, "run-1", "error", NOON)
    assert engine.readings == RUNS_KEPT + 1
    recent.words_of(engine, "run-0", "error", NOON)
    assert engine.readings == RUNS_KEPT + 2

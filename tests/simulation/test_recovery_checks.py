"""Recovery checks: what an engine made of a run that another one left."""

from dataclasses import replace

import pytest

from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.simulator.checks.recovery_checks import check_resumed
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.testing.examples import a_plan, a_run

NOW = 1000.0
SNAPSHOT = RunSnapshot(a_run(), a_plan())


def a_fact(rank: Rank, *, deadline: float | None = 50.0) -> TaskRun:
    return TaskRun(
        attempt=1,
        rank=rank,
        reason=None,
        cause="event-1",
        dispatched_at=10.0,
        deadline=deadline,
        attempts_allowed=2,
    )


def resumed(fact: TaskRun, clock_s: float) -> TaskRun:
    return replace(fact, dispatched_at=NOW, deadline=NOW + clock_s, rev=fact.rev + 1)


@pytest.mark.parametrize(
    ("rank", "clock_s"), [(Rank.PENDING, 10.0), (Rank.QUEUED, 610.0), (Rank.STARTED, 1800.0)]
)
def test_clock_that_is_not_started_again_is_found(rank: Rank, clock_s: float) -> None:
    fact = a_fact(rank)
    check_resumed(SNAPSHOT, {0: fact}, {0: resumed(fact, clock_s)}, NOW, now=NOW)
    for wrong in (fact, resumed(fact, clock_s + 1), replace(resumed(fact, clock_s), attempt=2)):
        with pytest.raises(Unexpected, match="was resumed as"):
            check_resumed(SNAPSHOT, {0: fact}, {0: wrong}, NOW, now=NOW)


@pytest.mark.parametrize(
    "fact", [a_fact(Rank.ERROR, deadline=1005.0), a_fact(Rank.COMPLETED, deadline=None)]
)
def test_what_waits_or_is_over_stays_as_it_is(fact: TaskRun) -> None:
    check_resumed(SNAPSHOT, {0: fact}, {0: fact}, NOW, now=NOW)
    with pytest.raises(Unexpected, match="was resumed as"):
        check_resumed(SNAPSHOT, {0: fact}, {0: resumed(fact, 10.0)}, NOW, now=NOW)


@pytest.mark.parametrize("next_due", [None, NOW + 5])
def test_run_without_a_page_timer_is_found(next_due: float | None) -> None:
    with pytest.raises(Unexpected, match="no page of it is looked at"):
        check_resumed(SNAPSHOT, {}, {}, next_due, now=NOW)

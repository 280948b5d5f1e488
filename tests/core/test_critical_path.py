"""What a run that is late waits for, and when it may be completed."""

import pytest

from cerebro.core.incidents.critical_path import CriticalPath, critical_path
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.testing.examples import a_fact

USUAL = {"short": 60.0, "long": 600.0, "target": 30.0}
NOW = 1_000.0


def a_plan() -> Plan:
    """The target awaits two tasks; the first of the plan is the shorter one."""
    upstreams = [PlannedTask(name=name, server="s") for name in ("short", "long")]
    return Plan((*upstreams, PlannedTask(name="target", server="s", awaits=(0, 1))))


def path(facts: dict[int, TaskRun], **usual: float) -> CriticalPath:
    return critical_path(a_plan(), facts, {**USUAL, **usual}, now=NOW)


def running(since_s: float) -> TaskRun:
    return a_fact(Rank.STARTED, dispatched_at=NOW - since_s)


def test_path_leads_through_what_ends_last() -> None:
    assert path({}) == CriticalPath((1, 2), NOW + 630)
    assert path({}, short=700.0) == CriticalPath((0, 2), NOW + 730)


def test_path_leads_through_the_first_of_equals() -> None:
    assert path({}, short=600.0) == CriticalPath((0, 2), NOW + 630)


def test_time_that_a_task_has_run_counts() -> None:
    assert path({0: running(0), 1: running(590)}) == CriticalPath((0, 2), NOW + 90)
    assert path({0: running(0), 1: running(9_000)}) == CriticalPath((0, 2), NOW + 90)


def test_completed_tasks_are_not_on_the_path() -> None:
    done = a_fact(Rank.COMPLETED, deadline=None)
    assert path({0: done, 1: done}) == CriticalPath((2,), NOW + 30)


@pytest.mark.parametrize("failed", [0, 1])
def test_path_leads_through_what_failed_without_an_estimate(failed: int) -> None:
    facts = {failed: a_fact(Rank.ERROR, deadline=None)}
    assert path(facts) == CriticalPath((failed, 2), None, failed)


def test_unknown_duration_gives_no_estimate() -> None:
    usual = {name: seconds for name, seconds in USUAL.items() if name != "short"}
    assert critical_path(a_plan(), {}, usual, now=NOW) == CriticalPath((1, 2), None)

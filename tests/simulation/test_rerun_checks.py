"""Rerun checks: what a rerun overtakes, it begins again, and all is made from the last outputs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from cerebro.adapters.memory import MemoryStore
from cerebro.core import invariants
from cerebro.core.effects import WriteTask
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.new_facts import begin_attempt, wait_again
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.reference_runs import check_run
from cerebro.simulator.checks.rerun_promises import RerunPromises
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.testing.examples import RUN
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.commands import RetryRun, RunTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.time import utc

A: Final = PlannedTask(name="a", server="s")
B: Final = PlannedTask(name="b", server="s", upstream=(0,), awaits=(0,))
PLAN: Final = Plan((A, B))
A_RUN: Final = Run(id=RUN, task="b", plan_id=PLAN.id, created_at=0.0, cause="c", status="error")
COMPLETED: Final = replace(
    begin_attempt(A, None, cause="c", now=0.0), rank=Rank.COMPLETED, deadline=None, rev=2
)
WAITS: Final = wait_again(COMPLETED, cause="rerun", now=9.0)
FAILED: Final = replace(
    begin_attempt(B, None, cause="c", now=1.0),
    rank=Rank.ERROR,
    deadline=None,
    error=ErrorDescription(type="E", message="m"),
    rev=2,
)
RETRIED: Final = begin_attempt(B, FAILED, cause="retry", now=10.0)
WAITS_TOO: Final = wait_again(RETRIED, cause="rerun", now=11.0)


def written(promises: RerunPromises, store: MemoryStore, fact: TaskRun, seen: TaskRun) -> None:
    """Write `b` in a store that has `seen`."""
    assert store.write_task(RUN, 1, fact, seen) is None
    promises.task_written(PLAN, WriteTask(RUN, 1, fact, seen))


def overtaken(status: Any = "error") -> tuple[RerunPromises, MemoryStore]:
    """`b` was retried when the rerun had made `a` wait."""
    store = MemoryStore()
    store.write_plan(PLAN)
    store.write_run(replace(A_RUN, status=status), None)
    store.write_task(RUN, 0, WAITS, None)
    store.write_task(RUN, 1, FAILED, None)
    promises = RerunPromises(store)
    written(promises, store, RETRIED, FAILED)
    return promises, store


# --- an overtaken attempt -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("upstream", "pending", "broken"),
    [
        (COMPLETED, lambda _: False, None),
        (WAITS, lambda cause: cause == "rerun", None),
        (WAITS, lambda _: False, "b was dispatched before a completed"),
        (
            begin_attempt(A, WAITS, cause="rerun", now=9.5),
            lambda _: True,
            "b was dispatched before a completed",
        ),
    ],
    ids=["completed", "rerun under way", "rerun handled", "upstream runs"],
)
def test_early_dispatch_is_found_unless_a_rerun_is_under_way(
    upstream: TaskRun, pending: Callable[[str], bool], broken: str | None
) -> None:
    facts = {0: upstream, 1: RETRIED}
    found = invariants.of_task(
        RunSnapshot(A_RUN, PLAN), A_RUN, facts, 1, FAILED, now=10.0, pending=pending
    )
    assert found == broken


@pytest.mark.parametrize("is_pending", [True, False])
def test_live_attempt_in_an_ended_run_is_found_unless_asked_for(*, is_pending: bool) -> None:
    """The rerun asked for it, another input began it, and the run ended before it was opened."""
    promises, store = overtaken()
    written(promises, store, WAITS_TOO, RETRIED)
    written(promises, store, begin_attempt(B, WAITS_TOO, cause="timer", now=12.0), WAITS_TOO)
    facts = promises.unless_asked(RUN, lambda cause: is_pending and cause == "rerun")
    found = invariants.alive_though_over(RunSnapshot(A_RUN, PLAN), A_RUN, facts, lambda _: False)
    assert found == (None if is_pending else "b is live, but the run is over (error)")


def test_overtaken_attempt_that_the_rerun_left_is_found() -> None:
    promises, _ = overtaken()
    assert promises.is_overtaken(RUN, 1, 2)
    assert promises.left_by("another") is None
    assert promises.left_by("rerun") == "b: attempt 2 was overtaken by a rerun, which left it"


def test_overtaken_attempt_that_began_again_is_no_fault() -> None:
    promises, store = overtaken()
    written(promises, store, WAITS_TOO, RETRIED)
    assert not promises.is_overtaken(RUN, 1, 2)
    assert promises.left_by("rerun") is None


def test_overtaken_attempt_of_cancelled_run_is_no_fault() -> None:
    promises, _ = overtaken("cancelled")
    assert promises.left_by("rerun") is None


def test_update_of_overtaken_attempt_leaves_it_overtaken() -> None:
    promises, store = overtaken()
    written(promises, store, replace(RETRIED, rank=Rank.QUEUED, rev=4), RETRIED)
    assert promises.is_overtaken(RUN, 1, 2)


# --- the outputs at the end -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "given", "found"),
    [
        ("completed", "a2", None),
        ("completed", "a1", "b completed with an output that a does not have"),
        ("completed", None, "b completed with an output that a does not have"),
        ("cancelled", "a1", None),
    ],
)
def test_completed_task_was_given_the_last_outputs(
    status: Any, given: str | None, found: str | None
) -> None:
    promises, store = overtaken()
    completed = replace(RETRIED, rank=Rank.COMPLETED, deadline=None, rev=4)
    written(promises, store, completed, RETRIED)
    command = RunTask(
        server="s",
        run_id=RUN,
        task="b",
        attempt=2,
        upstream={"a": given},
        ack_by=utc(20.0),
        start_by=utc(30.0),
    )
    promises.sent(command.model_copy(update={"attempt": 1, "upstream": {"a": "a0"}}))
    promises.sent(command)
    run = replace(A_RUN, status=status)
    assert promises.at_rest(run, PLAN, {(RUN, 0): "a2"}) == found


# --- a rerun begins in a run that is over ---------------------------------------------------------
def test_rerun_that_begins_in_running_run_is_found() -> None:
    command = RetryRun(run_id=RUN, command_id="r", from_=["a"], downstream=True)
    handled = HandledInput(Envelope(CLIENT, command, "event-1", utc(0.0)), "event-1")
    running = replace(A_RUN, status="running")
    stepped = replace(running, reruns=1, version=2)
    begun = {0: replace(WAITS, cause=handled.cause)}

    check_run(running, stepped, begun, handled)
    check_run(A_RUN, replace(stepped, status="error"), {0: COMPLETED}, handled)
    with pytest.raises(Unexpected, match="a rerun began in a run that had not ended"):
        check_run(running, stepped, {0: COMPLETED}, handled)

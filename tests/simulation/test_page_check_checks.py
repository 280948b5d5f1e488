"""Page check checks: what a timer, a failure or a command left undone is found."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from cerebro.adapters.memory import MemoryStore
from cerebro.core.effects import WriteRun
from cerebro.core.graph.graph import Graph
from cerebro.core.internal_messages import PageTimer
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.new_facts import begin_attempt, complete_without_body
from cerebro.simulator.checks.answers import check_answer
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.reference import Reference
from cerebro.simulator.checks.reference_effects import check_effects
from cerebro.simulator.checks.reference_page_checks import check_page
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.testing.examples import RUN
from cordyna_core.contract.base import Message, Problem, meta_at
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, server_source
from cordyna_core.contract.state_updates import InvocationRejected, RunStateChanged
from cordyna_core.contract.time import utc

A, B = PlannedTask(name="a", server="s"), PlannedTask(name="b", server="s", awaits=(0,))
PLAN = Plan((A, B))
RUNNING = Run(id=RUN, task="b", plan_id=PLAN.id, created_at=0.0, cause="c")
TIMER = PageTimer(RUN, 0, 10.0)
LIVE = begin_attempt(A, None, cause="c", now=0.0)
DONE = complete_without_body(A, None, cause="c", now=0.0)
FAILED = replace(LIVE, rank=Rank.ERROR, reason="failed", deadline=None, rev=2)


def check_timer(
    facts: Mapping[int, TaskRun], *, repairs: bool = True, now: float = 20.0, **run: Any
) -> None:
    """Check a timer of the page that found these facts, and changed nothing."""
    stored = replace(RUNNING, **run)
    handled = HandledInput(TIMER, TIMER.id, run_before=stored, clocks=[now])
    handled.facts_before = dict(facts)
    check_page(TIMER, handled, RunSnapshot(stored, PLAN), stored, facts, repairs=repairs)


@pytest.mark.parametrize(
    ("facts", "run", "expected"),
    [
        ({0: LIVE}, {"status": "cancelled"}, "are live in a cancelled run"),
        ({0: LIVE}, {"status": "error"}, "left the run ended in error"),
        ({0: FAILED}, {}, "left the run not failing"),
        ({0: DONE, 1: DONE}, {}, "did not end the run"),
        ({0: DONE}, {}, "b was ready"),
        ({}, {}, "a was ready"),
        ({0: DONE, 1: DONE}, {"status": "completed", "cause": TIMER.id}, "publish it again"),
    ],
)
def test_what_a_timer_left_undone_is_found(
    facts: dict[int, TaskRun], run: dict[str, Any], expected: str
) -> None:
    with pytest.raises(Unexpected, match=expected):
        check_timer(facts, **run)


def test_timer_that_had_nothing_to_do_is_no_fault() -> None:
    check_timer({0: LIVE})
    check_timer({0: FAILED}, failing=True)
    check_timer({0: DONE}, status="error")
    check_timer({0: DONE}, repairs=False)
    check_timer({}, now=9.0)


def test_timer_of_a_run_cancelled_meanwhile_is_no_fault() -> None:
    """It had completed the run; a rerun opened it, and was cancelled before the timer read it."""
    completed = replace(RUNNING, status="completed", cause=TIMER.id)
    handled = HandledInput(TIMER, TIMER.id, run_before=completed, clocks=[20.0])
    handled.facts_before = {0: DONE, 1: DONE}
    cancelled = replace(completed, status="cancelled", cause="other", rev=1)
    snapshot = RunSnapshot(cancelled, PLAN)
    check_page(TIMER, handled, snapshot, cancelled, handled.facts_before, repairs=True)


# --- a failure ----------------------------------------------------------------------------------
def check_failure(*, is_failing: bool, armed_pages: set[int]) -> None:
    store = MemoryStore()
    store.write_plan(PLAN)
    store.write_run(replace(RUNNING, failing=is_failing), None)
    store.write_task(RUN, 0, FAILED, None)
    handled = HandledInput(TIMER, TIMER.id, armed_pages=armed_pages)
    handled.facts_written.append((0, LIVE, FAILED))
    check_effects(handled, RunSnapshot(RUNNING, PLAN), store)


def test_failure_that_marks_its_run_is_no_fault() -> None:
    check_failure(is_failing=True, armed_pages={0})


def test_failure_that_is_not_marked_is_found() -> None:
    with pytest.raises(Unexpected, match="left the run not failing"):
        check_failure(is_failing=False, armed_pages={0})


def test_failure_without_a_page_check_is_found() -> None:
    with pytest.raises(Unexpected, match="the end of the run is not looked for"):
        check_failure(is_failing=True, armed_pages={1})


# --- commands -----------------------------------------------------------------------------------
def handled_command(command: Message, *answers: Message, source: str = CLIENT) -> HandledInput:
    handled = HandledInput(Envelope(source, command, "event-1", utc(0.0)), "event-1")
    handled.published.extend(answers)
    return handled


def an_answer(message_id: str = "answer", cause: str = "event-1") -> RunStateChanged:
    meta = meta_at(0.0, message_id, cause)
    return RunStateChanged(meta=meta, run_id=RUN, task="b", state="running")


def a_refusal(code: str) -> InvocationRejected:
    problem = Problem(code=code, message="no")
    return InvocationRejected(
        meta=meta_at(0.0, "refusal", "event-1"), event_id="event-1", task="b", problems=[problem]
    )


@pytest.mark.parametrize("armed_pages", [set(), {1}])
def test_retry_whose_end_is_not_looked_for_is_found(armed_pages: set[int]) -> None:
    handled = handled_command(RetryRun(run_id=RUN), an_answer())
    handled.runs_read[RUN] = replace(RUNNING, failing=True)
    handled.armed_pages = armed_pages
    with pytest.raises(Unexpected, match="its end is not looked for"):
        check_effects(handled, RunSnapshot(RUNNING, PLAN), MemoryStore())


def test_command_of_another_server_that_is_accepted_is_found() -> None:
    cancel, snapshot = CancelRun(run_id=RUN), RunSnapshot(RUNNING, PLAN)
    foreign = handled_command(cancel, an_answer(), source=server_source("other"))
    with pytest.raises(Unexpected, match="was answered with"):
        check_answer(foreign, RUNNING, RUNNING, snapshot)
    refused = handled_command(cancel, a_refusal("not_your_task"), source=server_source("other"))
    check_answer(refused, RUNNING, RUNNING, snapshot)


@pytest.mark.parametrize("is_found", [True, False])
def test_invocation_of_what_is_gone_is_answered_by_its_run(*, is_found: bool) -> None:
    """Another delivery created the run before the task was declared no more."""
    handled = handled_command(InvokeTask(task="b"), an_answer())
    handled.run_id, handled.graph = RUN, Graph.of({})
    handled.runs_read[RUN] = RUNNING
    handled.has_created_run = not is_found
    expected = nullcontext() if is_found else pytest.raises(Unexpected, match="unknown_task")
    with expected:
        check_answer(handled, None, RUNNING, RunSnapshot(RUNNING, PLAN))


def test_retry_of_a_cancelled_run_that_is_accepted_is_found() -> None:
    cancelled = replace(RUNNING, status="cancelled", commands=("event-1",))
    handled = handled_command(RetryRun(run_id=RUN), an_answer())
    with pytest.raises(Unexpected, match="a retry of a cancelled run"):
        check_answer(handled, cancelled, cancelled, RunSnapshot(cancelled, PLAN))


def test_answer_that_is_anothers_is_found() -> None:
    reference = Reference(MemoryStore())
    reference._check_own_answer(handled_command(CancelRun(run_id=RUN), an_answer()))
    reference._check_own_answer(handled_command(CancelRun(run_id=RUN), an_answer()))
    second = Envelope(CLIENT, CancelRun(run_id=RUN), "event-2", utc(0.0))
    handled = HandledInput(second, "event-2", published=[an_answer(cause="event-2")])
    with pytest.raises(Unexpected, match="the answer of another command"):
        reference._check_own_answer(handled)


# --- runs ---------------------------------------------------------------------------------------
def a_reference() -> Reference:
    store = MemoryStore()
    store.write_plan(PLAN)
    store.write_run(replace(RUNNING, status="error"), None)
    return Reference(store)


def test_reopening_that_is_not_published_is_found() -> None:
    reference, handled = a_reference(), HandledInput(TIMER, TIMER.id)
    ended = replace(RUNNING, status="error")
    reference.run_written(WriteRun(replace(RUNNING, rev=1, version=2), ended), handled)

    with pytest.raises(Unexpected, match="the run was reopened"):
        check_effects(handled, RunSnapshot(RUNNING, PLAN), MemoryStore())
    handled.published.append(an_answer())
    check_effects(handled, RunSnapshot(RUNNING, PLAN), MemoryStore())

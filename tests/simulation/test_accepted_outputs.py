"""Accepted outputs: a command carries the last ones, also while a rerun makes their tasks wait."""

from dataclasses import replace
from typing import Any

import pytest

from cerebro.core.effects import WriteTask
from cerebro.core.messages import run_task
from cerebro.core.model.plan import CachedResult, Plan, PlannedTask
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.new_facts import begin_attempt, wait_again
from cerebro.simulator.checks.accepted_outputs import AcceptedOutputs
from cerebro.simulator.checks.reference_messages import check_command
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.testing.examples import RUN
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc

A = PlannedTask(name="a", server="s")
B = PlannedTask(name="b", server="s", upstream=(0,), awaits=(0,))
PLAN = Plan((A, B))
A_RUN = RunSnapshot(Run(id=RUN, task="b", plan_id=PLAN.id, created_at=0.0, cause="c"), PLAN)
SENT = begin_attempt(A, None, cause="c", now=0.0)


def completed(outputs: AcceptedOutputs, fact: TaskRun, output: Any) -> TaskRun:
    """Task `a` completes with an output."""
    update = TaskStateChanged(
        server="s", run_id=RUN, task="a", attempt=fact.attempt, state="completed", output=output
    )
    event = Envelope(server_source("s"), update, f"event-{fact.attempt}", utc(5.0))
    new = replace(fact, rank=Rank.COMPLETED, deadline=None, rev=fact.rev + 1)
    outputs.task_written(A, WriteTask(RUN, 0, new, fact), event)
    return new


def check_sent(outputs: AcceptedOutputs, upstream: Any) -> None:
    """Check the command of `b` with this output of `a`."""
    fact = begin_attempt(B, None, cause="c", now=9.0)
    check_command(A_RUN, fact, run_task(A_RUN, 1, fact, {0: upstream}, now=9.0), outputs.last)


def test_output_is_the_last_one_while_its_task_waits_again() -> None:
    """A handler that was paused before the rerun may send it; no command is sent without it."""
    outputs = AcceptedOutputs()
    first = completed(outputs, SENT, "a1")
    waiting = wait_again(first, cause="rerun", now=7.0)
    outputs.task_written(A, WriteTask(RUN, 0, waiting, first), None)
    check_sent(outputs, "a1")
    with pytest.raises(Unexpected, match=r"b was sent with \{'a': None\}"):
        check_sent(outputs, None)


def test_output_of_a_rerun_replaces_the_last_one() -> None:
    outputs = AcceptedOutputs()
    first = completed(outputs, SENT, "a1")
    waiting = wait_again(first, cause="rerun", now=7.0)
    outputs.task_written(A, WriteTask(RUN, 0, waiting, first), None)
    again = begin_attempt(A, waiting, cause="rerun", now=8.0)
    outputs.task_written(A, WriteTask(RUN, 0, again, waiting), None)
    completed(outputs, again, "a2")
    check_sent(outputs, "a2")
    with pytest.raises(Unexpected, match="b was sent with"):
        check_sent(outputs, "a1")


def test_second_completion_of_an_attempt_changes_no_output() -> None:
    outputs = AcceptedOutputs()
    completed(outputs, SENT, "a1")
    completed(outputs, SENT, "other")
    assert outputs.last == {(RUN, 0): "a1"}


def test_second_completion_after_a_rerun_changes_no_output() -> None:
    outputs = AcceptedOutputs()
    first = completed(outputs, SENT, "a1")
    waiting = wait_again(first, cause="rerun", now=7.0)
    outputs.task_written(A, WriteTask(RUN, 0, waiting, first), None)
    again = begin_attempt(A, waiting, cause="rerun", now=8.0)
    completed(outputs, again, "a2")
    completed(outputs, again, "other")
    assert outputs.last == {(RUN, 0): "a2"}


def test_reused_output_is_the_one_before_a_rerun_of_its_maker() -> None:
    """The plan names the attempt whose result it reuses, by when that was dispatched."""
    outputs = AcceptedOutputs()
    first = completed(outputs, SENT, "a1")
    waiting = wait_again(first, cause="rerun", now=7.0)
    outputs.task_written(A, WriteTask(RUN, 0, waiting, first), None)
    completed(outputs, begin_attempt(A, waiting, cause="rerun", now=8.0), "a2")
    reusing = replace(A, reuses=CachedResult(RUN, 0, first.dispatched_at))
    done = replace(SENT, rank=Rank.COMPLETED, deadline=None)
    outputs.task_written(reusing, WriteTask("other-run", 0, done, None), None)
    assert outputs.last == {(RUN, 0): "a2", ("other-run", 0): "a1"}


def test_join_has_no_output() -> None:
    outputs = AcceptedOutputs()
    done = replace(SENT, rank=Rank.COMPLETED, deadline=None)
    outputs.task_written(replace(A, server=""), WriteTask(RUN, 0, done, None), None)
    assert outputs.last == {(RUN, 0): None}

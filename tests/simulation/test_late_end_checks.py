"""Late end checks: the end of an older attempt is shown, unless its handler rightly ignored it."""

from dataclasses import replace

import pytest

from cerebro.adapters.memory import MemoryStore
from cerebro.core.effects import ReadTask, WriteTask
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.new_facts import begin_attempt, wait_again
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.noted_effects import NOTED
from cerebro.simulator.checks.reference_effects import check_effects
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.worlds.handlers import SimulatedHandler
from cerebro.simulator.worlds.world import World
from cerebro.testing.examples import RUN
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc

A = PlannedTask(name="a", server="s")
PLAN = Plan((A,))
A_RUN = Run(id=RUN, task="a", plan_id=PLAN.id, created_at=0.0, cause="c")
SENT = begin_attempt(A, None, cause="c", now=0.0)
STARTED = replace(SENT, rank=Rank.STARTED, rev=2)
COMPLETED = replace(SENT, rank=Rank.COMPLETED, deadline=None, rev=2)
AGAIN = wait_again(COMPLETED, cause="rerun", now=9.0)


def a_handler() -> SimulatedHandler:
    """A handler of an error of attempt 1."""
    update = TaskStateChanged(server="s", run_id=RUN, task="a", attempt=1, state="error")
    event = Envelope(server_source("s"), update, "event-1", utc(5.0))
    handler = SimulatedHandler([], 0.0)
    handler.handled = HandledInput(event, "event-1", noted_servers={"s"})
    return handler


def check_end(handler: SimulatedHandler) -> None:
    """Check what an update led to that ends when attempt 2 waits, and wrote nothing."""
    store = MemoryStore()
    store.write_plan(PLAN)
    store.write_run(A_RUN, None)
    store.write_task(RUN, 0, AGAIN, None)
    check_effects(handler.handled, RunSnapshot(A_RUN, PLAN), store)


@pytest.mark.parametrize("read", [COMPLETED, replace(SENT, rank=Rank.WAITING)])
def test_end_that_its_own_attempt_ignored_is_no_fault(read: TaskRun) -> None:
    """A rerun began attempt 2 after the handler had read attempt 1."""
    handler = a_handler()
    NOTED[ReadTask](handler, ReadTask(RUN, 0, fresh=True), read)
    check_end(handler)


def test_end_that_a_failed_write_found_ignored_is_no_fault() -> None:
    handler = a_handler()
    World(0).cerebro._task_written(handler, WriteTask(RUN, 0, STARTED, SENT), COMPLETED)
    check_end(handler)


@pytest.mark.parametrize("read", [None, STARTED, AGAIN])
def test_end_of_an_older_attempt_that_is_not_shown_is_found(read: TaskRun | None) -> None:
    handler = a_handler()
    NOTED[ReadTask](handler, ReadTask(RUN, 0, fresh=True), read)
    with pytest.raises(Unexpected, match="error of an older attempt of a is not shown"):
        check_end(handler)


def test_fact_from_a_cache_proves_nothing_about_an_end() -> None:
    handler = a_handler()
    NOTED[ReadTask](handler, ReadTask(RUN, 0), COMPLETED)
    with pytest.raises(Unexpected, match="is not shown"):
        check_end(handler)

"""Run parts: what a cancellation clears, and what a page timer reopens."""

from dataclasses import replace

from cerebro.core.internal_messages import PageTimer
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.task_run import Rank
from cerebro.core.run.new_facts import begin_attempt, cancel_task_run
from cordyna_core.contract.base import ErrorDescription
from world.scenarios import a_world


def test_cancelled_fact_has_no_error_and_no_deadline() -> None:
    """It waited for a retry; what it had failed by explains nothing any more."""
    fact = begin_attempt(PlannedTask(name="a", server="s"), None, cause="event-1", now=0.0)
    waiting = replace(fact, rank=Rank.ERROR, error=ErrorDescription(type="Oops"), deadline=5.0)
    cancelled = cancel_task_run(waiting, cause="event-2", now=1.0)
    assert (cancelled.error, cancelled.deadline) == (None, None)
    assert (cancelled.cause, cancelled.reason) == ("event-2", "cancelled")


def test_wait_for_a_retry_reopens_a_run_that_ended() -> None:
    """Its end was decided before the failure that is retried was written."""
    world = a_world("a", a={"retries": 1})
    world.invoke("a")
    world.report("a", "error")
    assert world.state_of("a") == "pending retry_wait"
    run = world.stored_run()
    assert world.store.write_run(replace(run, status="error", version=run.version + 1), run) is None

    world.handle(PageTimer(world.run_id, 0, world.now))

    assert world.stored_run().status == "running"

"""Rule 8: CancelRun is final at once (docs/rules.md, rule 8)."""

from collections.abc import Callable, Iterator

import pytest

from cerebro.core.internal_messages import PageTimer
from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, run_id_of
from world.scenarios import ReactionWorld, a_run, a_world


def test_cancel_ends_live_attempts_and_notifies_servers() -> None:
    world = a_run("a  b  c<-a,b", a="started", b="queued")
    world.cancel()
    assert world.state_of("a") == world.state_of("b") == "error cancelled"
    assert world.cancelled == [("a", 1), ("b", 1)]
    assert world.run().state == "error"
    assert world.run().cancelled


def test_cancel_writes_no_fact_for_waiting_task() -> None:
    world = a_run("a  b<-a", a="started")
    world.cancel()
    assert world.state_of("b") == "error cancelled" or world.state_of("b") == "pending blocked"
    assert list(world.store.read_page(world.run_id, 0)) == [0]


def test_cancel_keeps_completed_task() -> None:
    world = a_run("a  b<-a", a="completed")
    world.cancel()
    assert world.state_of("a") == "completed"


def test_cancel_ends_retry_wait() -> None:
    world = a_run("a", declared={"a": {"retries": 3}}, a="error")
    world.cancel()
    assert world.after(3600).sent == [("a", 1)]
    assert world.state_of("a") == "error cancelled"


@pytest.mark.parametrize("late", ["queued", "started", "error", "completed"])
def test_update_after_cancel_changes_nothing(late: str) -> None:
    world = a_run("a  b<-a", a="queued")
    world.cancel()
    world.report("a", late)
    assert world.state_of("a") == "error cancelled"
    assert world.sent == [("a", 1)]
    assert world.after(3600).run().cancelled


def test_cancel_of_completed_run_is_refused() -> None:
    world = a_run("a", a="completed")
    world.cancel()
    assert world.problems == ["run_completed"]
    assert world.run().state == "completed"


def test_cancel_of_run_ended_in_error_is_final() -> None:
    world = a_run("a  b<-a", a="error").after(5)
    world.cancel()
    world.report("a", "completed")
    assert world.sent == [("a", 1)]


def test_cancel_repeated_acts_once_and_notifies_again() -> None:
    world = a_run("a", a="started")
    world.cancel(command_id="c1")
    run = world.stored_run()
    assert run.commands == ("c1",)
    world.cancel(command_id="c1")
    assert world.stored_run() == run
    assert world.cancelled == [("a", 1), ("a", 1)]


def test_dispatch_unseen_by_cancel_cancels_itself() -> None:
    """The dispatch of b reads the run after its write, so it cancels instead of sending."""
    for steps in range(30):
        world = a_run("a  b<-a", a="started")
        update = world.update("a", "completed")
        world.driver.crash(update, after=steps)
        world.cancel()
        world.handle(update)
        assert not [
            index for index, fact in world.store.read_page(world.run_id, 0).items() if fact.is_live
        ], steps


def an_invocation() -> tuple[ReactionWorld, Envelope]:
    world = a_world("a  b  c<-a,b")
    world.run_id = run_id_of("c", "k")
    return world, world.envelope(InvokeTask(task="c", key="k"), CLIENT)


def a_retry() -> tuple[ReactionWorld, Envelope]:
    world = a_run("a  b<-a", a="error").after(5)
    return world, world.envelope(world.retry_command(command_id="r"), CLIENT)


def a_page_timer() -> tuple[ReactionWorld, PageTimer]:
    """The timer dispatches b, because the completion of a crashed before it did."""
    world = a_run("a  b<-a", a="started")
    world.driver.crash_once(
        world.update("a", "completed"), lambda: world.state_of("a") == "completed"
    )
    return world, PageTimer(world.run_id, 0, world.now)


def a_completion() -> tuple[ReactionWorld, Envelope]:
    world = a_run("a  b<-a", a="started")
    return world, world.update("a", "completed")


@pytest.fixture(params=[1, 256])
def _pages(request: pytest.FixtureRequest) -> Iterator[None]:
    with sizes(Sizes(page=request.param)):
        yield


@pytest.mark.usefixtures("_pages")
@pytest.mark.parametrize("begun", [an_invocation, a_retry, a_page_timer, a_completion])
@pytest.mark.parametrize("paused", range(1, 20))
def test_crash_during_cancellation_leaves_no_live_attempt(
    begun: Callable[[], tuple[ReactionWorld, Envelope | PageTimer]], paused: int
) -> None:
    """Any program, interrupted by a cancellation.

    1. It is paused after some effects, and the run is cancelled.
    2. It performs a few more effects and crashes.
    3. Its message is delivered again.
    """
    for more in range(12):
        world, message = begun()
        resume = world.driver.begin(message, effects=paused)
        if world.store.read_run(world.run_id) is None:
            return
        world.cancel()
        resume(more)
        world.handle(message)
        assert_all_ended_and_published(world)


def assert_all_ended_and_published(world: ReactionWorld) -> None:
    snapshot = world.store.read_run_snapshot(world.run_id)
    assert snapshot is not None
    for page in snapshot.plan.pages:
        for index, fact in world.store.read_page(world.run_id, page).items():
            assert not fact.is_live
            if fact.reason == "cancelled":
                assert (snapshot.plan.tasks[index].name, fact.attempt) in world.cancelled

"""Rule 8: CancelRun is final at once: what is live is cancelled and told to stop, what waits is cancelled by derivation."""

from collections.abc import Callable

import pytest

from cerebro.core.effects import PageTimer
from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, run_id_of
from cordyna_core.contract.time import utc
from rules.scene import Scene, a_graph, a_run


def test_live_attempts_end_and_their_servers_are_told() -> None:
    scene = a_run("a  b  c<-a,b", a="started", b="queued")
    scene.cancels()
    assert scene.is_at("a") == scene.is_at("b") == "error cancelled"
    assert scene.cancelled == [("a", 1), ("b", 1)]
    assert scene.run().state == "error"
    assert scene.run().cancelled


def test_what_waits_is_cancelled_by_derivation() -> None:
    scene = a_run("a  b<-a", a="started")
    scene.cancels()
    assert scene.is_at("b") == "error cancelled" or scene.is_at("b") == "pending blocked"
    assert list(scene.store.read_page(scene.run_id, 0)) == [0]


def test_what_completed_stays_completed() -> None:
    scene = a_run("a  b<-a", a="completed")
    scene.cancels()
    assert scene.is_at("a") == "completed"


def test_what_waits_for_a_retry_is_not_tried_again() -> None:
    scene = a_run("a", declared={"a": {"retries": 3}}, a="error")
    scene.cancels()
    assert scene.after(3600).sent == [("a", 1)]
    assert scene.is_at("a") == "error cancelled"


@pytest.mark.parametrize("late", ["queued", "started", "error", "completed"])
def test_whatever_arrives_later_changes_nothing(late: str) -> None:
    scene = a_run("a  b<-a", a="queued")
    scene.cancels()
    scene.says("a", late)
    assert scene.is_at("a") == "error cancelled"
    assert scene.sent == [("a", 1)]
    assert scene.after(3600).run().cancelled


def test_a_completed_run_cannot_be_cancelled_and_that_is_said() -> None:
    scene = a_run("a", a="completed")
    scene.cancels()
    assert scene.problems == ["run_completed"]
    assert scene.run().state == "completed"


def test_a_run_that_ended_in_error_can() -> None:
    scene = a_run("a  b<-a", a="error").after(5)
    scene.cancels()
    scene.says("a", "completed")
    assert scene.sent == [("a", 1)]


def test_the_same_command_acts_once_and_tells_the_servers_again() -> None:
    scene = a_run("a", a="started")
    scene.cancels(command_id="c1")
    run = scene.run_as_kept()
    scene.cancels(command_id="c1")
    assert scene.run_as_kept() == run
    assert scene.cancelled == [("a", 1), ("a", 1)]


def test_a_dispatcher_that_was_not_seen_by_the_cancellation_sees_it() -> None:
    """It put b before it could know; it reads the run after its put, and cancels instead of sending."""
    for steps in range(30):
        scene = a_run("a  b<-a", a="started")
        word = scene.word("a", "completed")
        scene.crashes(word, after=steps)
        scene.cancels()
        scene.hears(word)
        assert not [
            index for index, fact in scene.store.read_page(scene.run_id, 0).items() if fact.is_live
        ], steps


def an_invocation() -> tuple[Scene, Envelope]:
    scene = a_graph("a  b  c<-a,b")
    scene.run_id = run_id_of("c", "k")
    return scene, Envelope(CLIENT, InvokeTask(task="c", key="k"), "event", utc(scene.now))


def a_retry() -> tuple[Scene, Envelope]:
    scene = a_run("a  b<-a", a="error").after(5)
    return scene, Envelope(
        CLIENT, RetryRun(run_id=scene.run_id, command_id="r"), "event", utc(scene.now)
    )


def a_ring() -> tuple[Scene, PageTimer]:
    """It dispatches b, which a's completion did not come to."""
    scene = a_run("a  b<-a", a="started")
    scene.crashes_as_soon_as(scene.word("a", "completed"), lambda: scene.is_at("a") == "completed")
    return scene, PageTimer(scene.run_id, 0, scene.now)


def a_completion() -> tuple[Scene, Envelope]:
    scene = a_run("a  b<-a", a="started")
    return scene, scene.word("a", "completed")


@pytest.mark.parametrize("begun", [an_invocation, a_retry, a_ring, a_completion])
@pytest.mark.parametrize("paused", range(1, 20))
def test_what_is_interrupted_by_a_cancellation_and_then_crashes_leaves_nothing_live(
    begun: Callable[[], tuple[Scene, Envelope | PageTimer]], paused: int
) -> None:
    """It is stopped after so many effects, the run is cancelled, it goes on for a few effects, crashes, and comes again."""
    for more in range(12):
        scene, message = begun()
        goes_on = scene.begins(message, steps=paused)
        if scene.store.read_run(scene.run_id) is None:
            return
        scene.cancels()
        goes_on(more)
        scene.hears(message)
        assert_nothing_is_live_or_untold(scene)


def assert_nothing_is_live_or_untold(scene: Scene) -> None:
    for fact in scene.store.read_page(scene.run_id, 0).values():
        assert not fact.is_live
    snapshot = scene.store.read_run_snapshot(scene.run_id)
    assert snapshot is not None
    for index, fact in scene.store.read_page(scene.run_id, 0).items():
        if fact.reason == "cancelled":
            assert (snapshot.plan.tasks[index].name, fact.attempt) in scene.cancelled

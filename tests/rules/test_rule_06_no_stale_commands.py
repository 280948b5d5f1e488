"""Rule 6: a server never starts a body after `ack_by` unless it said `queued`, nor after `start_by`."""

from datetime import timedelta

from cordyna_core import TaskServer
from cordyna_core.contract.commands import RunTask
from cordyna_core.testing import RecordingBus
from rules.scene import a_run


def command() -> RunTask:
    scene = a_run("a", declared={"a": {"ack_timeout_s": 10, "start_timeout_s": 600}})
    return next(message for message in scene.told if isinstance(message, RunTask))


def ran(told: RunTask, *, late_s: float, queued: bool = False) -> bool:
    """Whether a server that gets around to a command so long after it was sent runs the body."""
    server = TaskServer("s")
    bodies: list[str] = []
    server.task(name="a")(lambda: bodies.append("ran"))
    sent_at = told.ack_by - timedelta(seconds=10)
    server.run(told, bus=RecordingBus(), clock=lambda: sent_at.timestamp() + late_s, queued=queued)
    return bool(bodies)


def test_the_command_says_until_when_it_is_good() -> None:
    told = command()
    assert told.start_by - told.ack_by == timedelta(seconds=600)


def test_a_body_starts_in_time() -> None:
    assert ran(command(), late_s=9)


def test_a_body_does_not_start_after_ack_by() -> None:
    assert not ran(command(), late_s=11)


def test_a_body_starts_after_ack_by_if_queued_was_said() -> None:
    assert ran(command(), late_s=600, queued=True)


def test_a_body_does_not_start_after_start_by_though_queued_was_said() -> None:
    assert not ran(command(), late_s=611, queued=True)


def test_a_command_that_is_sent_again_is_good_no_longer_than_the_first() -> None:
    scene = a_run("a  b<-a", a="started")
    word = scene.says("a", "completed")
    scene.now += 5
    scene.hears(word)
    first, again = (
        message for message in scene.told if isinstance(message, RunTask) and message.task == "b"
    )
    assert (first.ack_by, first.start_by) == (again.ack_by, again.start_by)

"""Rule 6: a server starts no body of a stale command (docs/rules.md, rule 6)."""

from datetime import timedelta

from cordyna_core import TaskServer
from cordyna_core.contract.commands import RunTask
from cordyna_core.testing import RecordingBus
from world.scenarios import a_run


def a_command() -> RunTask:
    world = a_run("a", declared={"a": {"ack_timeout_s": 10, "start_timeout_s": 600}})
    return world.commands[0]


def runs_body(command: RunTask, *, late_s: float, queued: bool = False) -> bool:
    """Whether a server that handles the command `late_s` after it was sent runs the body."""
    server = TaskServer("s")
    bodies: list[str] = []
    server.task(name="a")(lambda: bodies.append("ran"))
    sent_at = command.ack_by - timedelta(seconds=10)
    server.run(
        command, bus=RecordingBus(), clock=lambda: sent_at.timestamp() + late_s, queued=queued
    )
    return bool(bodies)


def test_command_carries_ack_by_and_start_by() -> None:
    command = a_command()
    assert command.start_by - command.ack_by == timedelta(seconds=600)


def test_body_within_ack_by_starts() -> None:
    assert runs_body(a_command(), late_s=9)


def test_body_after_ack_by_does_not_start() -> None:
    assert not runs_body(a_command(), late_s=11)


def test_body_after_ack_by_starts_if_queued() -> None:
    assert runs_body(a_command(), late_s=600, queued=True)


def test_body_after_start_by_does_not_start_though_queued() -> None:
    assert not runs_body(a_command(), late_s=611, queued=True)


def test_command_sent_again_keeps_first_ack_by() -> None:
    world = a_run("a  b<-a", a="started")
    update = world.report("a", "completed")
    world.now += 5
    world.handle(update)
    first, again = (command for command in world.commands if command.task == "b")
    assert (first.ack_by, first.start_by) == (again.ack_by, again.start_by)

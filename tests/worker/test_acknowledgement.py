"""`queued` by the pool, while its host lives and can say nothing of a command itself."""

from collections.abc import Iterator

import pytest

from cordyna_core.contract.commands import CancelTask
from cordyna_core.worker.pool.events import AttemptEnded, Event, HostLost, StateUpdate
from cordyna_core.worker.pool.heartbeat import ANSWER_TIMEOUT_S, PING_INTERVAL_S
from cordyna_core.worker.processes import Progress
from cordyna_core.worker.spec import ServerSpec
from cordyna_core.worker.verdicts import AttemptCommand
from worker.test_engine_side import NOON, RUN_ID, Room, command, completed

SPEC = ServerSpec(target="s.py")
LOADED = {
    "event": "declared", "target": "s.py", "server": "s", "detail": {}, "mode": "fork",
    "mode_reason": "", "concurrency": 8, "generation": 1,
}  # fmt: skip


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    room = Room(monkeypatch)
    yield room
    room.pool.close()


def states_of(events: list[Event]) -> list[str]:
    return [event.message.state for event in events if isinstance(event, StateUpdate)]


def commands_sent(room: Room) -> list[AttemptCommand]:
    return [request["command"] for request in room.host.requests if request["op"] == "run"]


def stale() -> dict[str, object]:
    return {"event": "ended", "key": [RUN_ID, "a", 1], "server": "s", "outcome": "stale"}


def test_host_that_starts_is_spoken_for_once(room: Room) -> None:
    room.pool.run(command())

    assert states_of(room.after(2.4)) == []
    assert 0 < room.pool.next_poll_s() <= 0.2
    assert states_of(room.after(0.2)) == ["queued"]
    assert states_of(room.after(2)) == []


def test_host_that_loads_the_server_is_spoken_for(room: Room) -> None:
    """Once the server has been loaded, its host says itself what becomes of a command."""
    room.ready()
    room.pool.start([SPEC])
    room.pool.run(command("a"))
    assert states_of(room.after(2.6)) == ["queued"]

    room.host.answers = [{"event": "pong", "number": 1}, LOADED]
    room.after(0)
    room.pool.run(command("b"))
    room.host.answers = [{"event": "pong", "number": 2}]
    assert states_of(room.after(2.6)) == []


def test_host_that_does_not_run_is_spoken_for(room: Room) -> None:
    room.ready()
    room.host.now = Progress("R", 1.0)
    room.after(PING_INTERVAL_S)
    room.pool.run(command())

    assert states_of(room.after(1)) + states_of(room.after(1.6)) == ["queued"]


def test_command_of_which_the_host_has_spoken_is_left_to_it(room: Room) -> None:
    room.pool.run(command())
    room.host.answers = [completed(command())]
    room.after(1)

    assert states_of(room.after(3)) == []


def test_command_after_its_time_is_not_acknowledged(room: Room) -> None:
    """The engine was stopped: a server says nothing after `ack_by` (docs/rules.md)."""
    room.pool.run(command())

    assert states_of(room.after(11)) == []


def test_acknowledged_command_found_stale_is_given_again(room: Room) -> None:
    """Its host may begin it until `start_by`; one that was not acknowledged ends as stale."""
    room.pool.run(command())
    room.after(2.6)
    room.host.answers = [stale()]

    assert room.after(10) == []
    assert [(sent.ack_by, sent.start_by) for sent in commands_sent(room)] == [
        (NOON + 10, NOON + 600),
        (NOON + 600, NOON + 600),
    ]
    room.host.answers = [completed(command())]
    room.after(0)
    room.host.answers = [stale()]
    assert AttemptEnded in map(type, room.after(0))


def test_lost_host_that_never_started_gives_its_commands_on(room: Room) -> None:
    """It has begun nothing. A second one in a row is answered for: a third may be lost, too."""
    room.pool.run(command())
    room.after(2.6)
    room.host.is_lost = True

    events = room.after(0)
    assert [type(event) for event in events] == [HostLost]
    assert [sent.ack_by for sent in commands_sent(room)] == [NOON + 600]
    room.host.is_lost = True
    assert "died" in [e.outcome for e in room.after(0) if isinstance(e, AttemptEnded)]


def test_cancelled_command_is_not_given_to_another_host(room: Room) -> None:
    room.pool.run(command())
    room.pool.cancel(CancelTask(server="s", run_id=RUN_ID, task="a", attempt=1))
    room.host.is_lost = True

    assert AttemptEnded in map(type, room.after(0))
    assert commands_sent(room) == []


def test_drained_pool_acknowledges_nothing(room: Room) -> None:
    room.pool.run(command())
    room.pool.drain(30)

    assert states_of(room.after(ANSWER_TIMEOUT_S / 2)) == []

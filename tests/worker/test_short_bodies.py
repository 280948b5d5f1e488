"""Short bodies: the start of one that ends soon is reported with its end."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from cordyna_core.contract.time import utc
from cordyna_core.worker.pool.events import MessagePublished, StateUpdate
from cordyna_core.worker.protocol import AttemptKey
from cordyna_core.worker.settings import Settings
from worker.fake_server import KEY, Server

SHORT = Settings(short_body_s=0.02)
BEGAN = utc(1000)

Reported = tuple[str, datetime | None]


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server(SHORT)
    yield found
    found.services.loop.close()


def reported(server: Server) -> list[Reported]:
    """The states, and what each says of the begin of the body."""
    updates = [event.message for event in server.link.events if isinstance(event, StateUpdate)]
    return [(update.state, update.started_at) for update in updates]


def test_end_of_a_short_body_names_its_start(server: Server) -> None:
    server.begin()
    assert reported(server) == []

    server.pass_time(0.01)
    server.end()
    server.pass_time(1)
    assert reported(server) == [("completed", BEGAN)]


def test_start_of_a_longer_body_is_reported_once(server: Server) -> None:
    server.begin()
    server.pass_time(0.03)
    assert reported(server) == [("started", None)]
    started = server.link.events[-1]
    assert isinstance(started, StateUpdate)
    assert started.message.meta is not None
    assert started.message.meta.time == BEGAN

    server.end()
    assert reported(server) == [("started", None), ("completed", None)]


def test_start_precedes_the_progress_of_a_short_body(server: Server) -> None:
    server.begin()
    server.send("TaskStateChanged", {**KEY._asdict(), "state": "started", "progress": 0.5})
    server.end()

    assert reported(server) == [("started", None), ("started", None), ("completed", None)]


def test_start_precedes_a_command_of_a_short_body(server: Server) -> None:
    server.begin()
    server.send("InvokeTask", {"task": "b"})

    kinds = [type(event) for event in server.link.events if not hasattr(event, "target")]
    assert kinds == [StateUpdate, MessagePublished]


def test_death_of_a_short_body_names_its_start(server: Server) -> None:
    server.begin()
    server.worker.process_exited(-11)

    assert reported(server) == [("error", BEGAN)]


@pytest.mark.parametrize("has_died", [False, True])
def test_start_of_a_body_that_a_drain_cuts_is_kept(server: Server, *, has_died: bool) -> None:
    server.begin()
    server.worker.stop("drain")
    if has_died:
        server.worker.process_exited(-15)
    else:
        server.send("TaskStateChanged", {**KEY._asdict(), "state": "error"})

    assert reported(server) == [("started", None)]


def test_end_that_is_no_state_of_the_contract_is_answered(server: Server) -> None:
    server.begin()
    server.send("TaskStateChanged", {**KEY._asdict(), "state": "error", "progress": "half"})

    assert reported(server) == [("error", None)]


def test_start_close_to_its_clock_is_not_held(server: Server) -> None:
    server.seconds = 1999.5  # `ack_by` is 2000
    server.begin()

    assert reported(server) == [("started", None)]


def test_start_of_a_queued_attempt_is_held_beyond_first_clock(server: Server) -> None:
    queued = AttemptKey("1" * 26, "a", 1)
    server.seconds = 1999.5  # `ack_by` is 2000
    server.begin()
    server.run(queued, start_by=3000.0)
    server.pass_time(0.125)
    server.end()
    server.pass_time(0)
    server.end(queued)

    assert reported(server) == [
        ("started", None),
        ("queued", None),
        ("completed", None),
        ("completed", utc(1999.625)),
    ]


def test_lone_start_is_reported_if_that_costs_nothing() -> None:
    server = Server(SHORT._replace(reports_lone_start=True))
    server.begin()
    server.run(AttemptKey("1" * 26, "a", 1))
    server.run(AttemptKey("2" * 26, "a", 1))
    assert reported(server) == [("started", None)]

    server.end()
    server.end(AttemptKey("1" * 26, "a", 1))
    assert reported(server)[1:] == [("completed", None), ("completed", BEGAN), ("started", None)]
    server.services.loop.close()

"""A command of a server that has no code to run is answered with why; no other command is."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from cerebro.embedded.bodies.host_bodies import HostBodies
from cerebro.embedded.bodies.port import CheckedEvent
from cerebro.embedded.bodies.worker_host import StartedServers
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.worker.pool import events as worker_events
from cordyna_core.worker.pool.pool import WorkerPool
from cordyna_core.worker.protocol import AttemptKey

RUN, NOW = "0" * 26, 1_800_000_000.0
COMMAND = RunTask.model_validate(
    {
        "meta": {"id": "the-command"},
        "server": "shop",
        "run_id": RUN,
        "task": "sell",
        "attempt": 1,
        "ack_by": "2027-01-15T08:00:10Z",
        "start_by": "2027-01-15T08:10:00Z",
    }
)
FAILED = worker_events.LoadFailed(
    target="shop.py", server="shop", error="no stock", still_serving=False
)
SERVING = worker_events.LoadFailed(
    target="shop.py", server="shop", error="no stock", still_serving=True
)
DECLARED = worker_events.Declared(
    target="shop.py",
    server="shop",
    detail={"server": "shop", "tasks": [{"name": "sell"}]},
    mode="fork",
    mode_reason="",
    concurrency=1,
    generation=1,
)


class Pool:
    """A pool that reports what a test makes it report."""

    def __init__(self) -> None:
        self.events: list[worker_events.Event] = []

    def receive(self) -> Sequence[worker_events.Event]:
        events, self.events = self.events, []
        return events

    def run(self, command: RunTask, *, run_timeout_s: float) -> None: ...
    def remove(self, target: str) -> None: ...


def ended(outcome: Any) -> worker_events.AttemptEnded:
    return worker_events.AttemptEnded(
        server="shop", key=AttemptKey(RUN, "sell", 1), outcome=outcome
    )


def bodies_on(pool: Pool) -> HostBodies:
    bodies = HostBodies(
        {}, None, lambda: NOW, StartedServers(cast("WorkerPool", pool), frozenset())
    )
    bodies.start(lambda: None)
    return bodies


def answers(bodies: HostBodies) -> list[TaskStateChanged]:
    messages = [event.envelope.message for event in _checked(bodies)]
    return [message for message in messages if isinstance(message, TaskStateChanged)]


def _checked(bodies: HostBodies) -> list[CheckedEvent]:
    return [event for event in bodies.receive() if isinstance(event, CheckedEvent)]


def test_command_of_a_server_without_code_is_answered_once() -> None:
    pool = Pool()
    bodies = bodies_on(pool)
    bodies.run(COMMAND, "", 60.0)
    pool.events = [FAILED, ended("not_loaded"), ended("not_loaded")]

    (answer,) = answers(bodies)

    assert (answer.task, answer.attempt, answer.state, answer.reason) == (
        "sell",
        1,
        "error",
        "failed",
    )
    assert answer.error is not None
    assert answer.error.retryable
    assert answer.error.message == "shop has no code to run: no stock"
    assert answer.meta is not None
    assert answer.meta.cause == "the-command"


@pytest.mark.parametrize(
    "events",
    [
        [ended("not_loaded")],
        [SERVING, ended("not_loaded")],
        [FAILED, DECLARED, ended("not_loaded")],
        [FAILED, ended("retired")],
        [FAILED, ended("drain")],
    ],
)
def test_command_of_any_other_server_is_not_answered(events: list[worker_events.Event]) -> None:
    """Its body answers, or nothing is known of why it does not."""
    pool = Pool()
    bodies = bodies_on(pool)
    bodies.run(COMMAND, "", 60.0)
    pool.events = events

    assert answers(bodies) == []


def test_removed_server_is_not_named_in_the_answer_of_another() -> None:
    pool = Pool()
    bodies = bodies_on(pool)
    bodies.run(COMMAND, "", 60.0)
    pool.events = [FAILED]
    bodies.receive()
    bodies.remove("shop.py")
    pool.events = [ended("not_loaded")]

    assert answers(bodies) == []

"""Acknowledgement: `queued` of a command on a work queue, if its body does not begin soon."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws.runtime_in_memory import (
    CancellableMemoryClaims,
    KeptQueue,
    RuntimeInMemory,
    cancel_task,
    event,
    records,
    run_task,
)
from cordyna_core import TaskServer
from cordyna_core.aws.acknowledgement import acknowledge, check_of
from cordyna_core.aws.command_handler import handle_event
from cordyna_core.aws.queue_ingress import enqueue
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.entrypoints import lambda_handlers
from cordyna_core.queued_hold import HOLD_S, queued_hold_s
from cordyna_core.testing import RecordingBus
from server.builders import NOW, RUN, a_command, a_server

ATTEMPT = (RUN, "task-1", 1)


class Deployed:
    """A server with a work queue and a queue of checks, in memory."""

    def __init__(self) -> None:
        self.claims = CancellableMemoryClaims()
        self.queue, self.checks = KeptQueue(), KeptQueue()
        self.runtime = RuntimeInMemory(claims=self.claims)

    def arrive(self, command: dict[str, Any]) -> None:
        adapters = self.runtime.adapters
        enqueue(command, self.queue, lambda _: adapters, TaskServer, self.checks)  # type: ignore[arg-type]

    def check(self) -> list[str]:
        """Deliver all checks. Returns the failed messages."""
        answer = acknowledge(records(*self.checks.bodies)["Records"], lambda _: self.adapters)
        return [failed["itemIdentifier"] for failed in answer["batchItemFailures"]]

    def work(self, body: Callable[[], object] = lambda: 1) -> None:
        """Deliver all of the work queue, whose messages can be handled."""
        server, messages = a_server(task_1=body), records(*self.queue.bodies)
        assert handle_event(server, messages, runtime=self.adapters) == {"batchItemFailures": []}

    @property
    def adapters(self) -> Any:
        return self.runtime.adapters

    @property
    def published(self) -> list[str]:
        return self.runtime.published


def test_command_is_queued_without_an_update() -> None:
    server = Deployed()
    server.arrive(run_task())
    assert server.published == []
    assert [json.loads(body) for body in server.queue.bodies] == [run_task() | {"queued": False}]
    assert server.checks.delays == [HOLD_S]


def test_check_leaves_out_the_values_of_the_command() -> None:
    large = a_command(
        params={"text": "x" * 10_000},
        upstream={"task-0": "x" * 100_000},
        upstream_omitted=[f"task-{number}" for number in range(1000)],
    )
    server = Deployed()
    server.arrive(event(large))
    (body,) = server.checks.bodies
    assert len(body) < 1000
    assert json.loads(body)["params"] == json.loads(body)["upstream"] == {}


def test_hold_leaves_five_seconds_of_a_clock() -> None:
    commands = {left_s: a_command(ack_by=utc(NOW + left_s)) for left_s in (5.9, 6.0, 7.2, 8.0, 60)}
    held_s = {left_s: queued_hold_s(command, NOW) for left_s, command in commands.items()}
    assert held_s == {5.9: 0, 6.0: 1, 7.2: 2, 8.0: 3, 60: 3}


@pytest.mark.parametrize("left_s", [0.5, 3.0, 5.9])
def test_command_with_a_short_clock_is_acknowledged_at_once(left_s: float) -> None:
    server = Deployed()
    server.arrive(run_task(ack_by=utc(NOW + left_s)))
    assert (server.published, server.checks.bodies) == (["queued"], [])
    assert [json.loads(body) for body in server.queue.bodies] == [
        run_task(ack_by=utc(NOW + left_s))
    ]


def test_stale_command_is_dropped_without_a_check() -> None:
    server = Deployed()
    server.runtime.now = NOW + 11
    server.arrive(run_task())
    assert (server.published, server.queue.bodies, server.checks.bodies) == ([], [], [])


def test_server_without_claims_acknowledges_at_once() -> None:
    server = Deployed()
    server.runtime = RuntimeInMemory()
    server.arrive(run_task())
    assert (server.published, server.checks.bodies) == (["queued"], [])


def test_command_whose_check_is_refused_is_acknowledged_at_once() -> None:
    server = Deployed()
    server.checks.fault = OSError("throttled")
    server.arrive(run_task())
    assert server.published == ["queued"]
    assert [json.loads(body) for body in server.queue.bodies] == [run_task()]


def test_check_of_a_waiting_command_publishes_queued() -> None:
    server = Deployed()
    server.arrive(run_task())
    assert server.check() == []
    assert server.published == ["queued"]
    assert server.claims.queued == {ATTEMPT}
    (update,) = server.runtime.bus.published
    assert isinstance(update, TaskStateChanged)
    assert update.meta is not None
    assert update.meta.cause == "the-command"


def test_checks_are_published_as_the_servers_that_they_name() -> None:
    servers = {name: RuntimeInMemory(claims=CancellableMemoryClaims()) for name in ("one", "two")}
    bodies = [check_of(a_command(server=name)) for name in ("one", "two", "one")]
    acknowledge(records(*bodies)["Records"], lambda name: servers[name].adapters)
    assert servers["one"].published == ["queued", "queued"]
    assert servers["two"].published == ["queued"]


def test_check_of_a_body_that_began_publishes_nothing() -> None:
    server = Deployed()
    server.arrive(run_task())
    server.work()
    before = list(server.published)
    assert server.check() == []
    assert server.published == before
    assert server.claims.queued == set()


def test_check_of_a_cancelled_attempt_publishes_nothing() -> None:
    server = Deployed()
    server.arrive(run_task())
    server.arrive(cancel_task())
    assert server.check() == []
    assert server.published == []


def test_check_that_comes_too_late_publishes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    server = Deployed()
    server.arrive(run_task())
    server.runtime.now = NOW + 11
    assert server.check() == []
    assert (server.published, server.claims.queued) == ([], set())
    assert "too late to acknowledge task-1" in caplog.text


def test_check_that_is_none_fails_alone() -> None:
    server = Deployed()
    server.arrive(run_task())
    server.checks.bodies = ["{}", *server.checks.bodies, "no JSON"]
    assert server.check() == ["message-0", "message-2"]
    assert server.published == ["queued"]


def test_check_without_a_bus_is_delivered_again() -> None:
    server = Deployed()
    server.arrive(run_task())
    server.runtime.adapters = replace(server.adapters, bus=_Unreachable())
    assert server.check() == ["message-0"]
    assert server.claims.queued == set()


def test_check_without_claims_is_delivered_again(caplog: pytest.LogCaptureFixture) -> None:
    server = Deployed()
    server.arrive(run_task())
    server.runtime.adapters = replace(server.adapters, claims=None)
    assert (server.check(), server.published) == (["message-0"], [])
    assert "1 commands were not acknowledged" in caplog.text


def test_check_whose_note_fails_is_delivered_again() -> None:
    server = Deployed()
    server.arrive(run_task())
    server.claims.fault = OSError("throttled")
    assert server.check() == ["message-0"]
    server.claims.fault = None
    assert server.check() == []
    ids = {message.meta and message.meta.id for message in server.runtime.bus.published}
    assert (server.published, len(ids)) == (["queued", "queued"], 1)
    assert server.claims.queued == {ATTEMPT}


def test_checks_of_a_batch_are_published_in_few_requests() -> None:
    server = Deployed()
    for attempt in range(1, 96):
        server.arrive(run_task(attempt=attempt))
    server.runtime.adapters = replace(server.adapters, bus=(bus := _CountingBus()))
    assert server.check() == []
    assert (bus.requests, len(bus.published), len(server.claims.queued)) == (10, 95, 95)


def test_refused_request_leaves_the_others_of_a_batch() -> None:
    """What the bus accepted is noted, or the bodies of those that wait would never begin."""
    server = Deployed()
    for attempt in range(1, 31):
        server.arrive(run_task(attempt=attempt))
    server.runtime.adapters = replace(server.adapters, bus=(bus := _CountingBus(refuses=2)))
    assert server.check() == [f"message-{number}" for number in range(10, 20)]
    noted = {attempt for _, _, attempt in server.claims.queued}
    assert noted == {*range(1, 11), *range(21, 31)}
    assert len(bus.published) == 20


def test_early_body_looks_up_no_acknowledgement() -> None:
    server = Deployed()
    server.arrive(run_task())
    server.runtime.now = NOW + 6
    server.work()
    assert server.published == ["started", "completed"]
    assert server.claims.queued_reads == 0


@pytest.mark.parametrize("after_s", [7.5, 10.5, 300])
def test_late_body_begins_if_it_was_acknowledged(after_s: float) -> None:
    """It is looked up a little before `ack_by`, too: until the body begins, that may pass."""
    server = Deployed()
    server.arrive(run_task())
    server.check()
    server.runtime.now = NOW + after_s
    server.work()
    assert server.published == ["queued", "started", "completed"]
    assert server.claims.queued_reads == 1


def test_worker_without_claims_begins_no_late_body() -> None:
    server = Deployed()
    server.arrive(run_task())
    server.check()
    server.runtime.adapters = replace(server.adapters, claims=None)
    server.runtime.now = NOW + 11
    server.work()
    assert server.published == ["queued"]


def test_late_body_does_not_begin_without_an_acknowledgement() -> None:
    server = Deployed()
    server.arrive(run_task())
    server.runtime.now = NOW + 11
    server.work()
    assert server.published == []


def test_handlers_share_the_queue_of_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Deployed()
    monkeypatch.setattr(lambda_handlers, "build_server_runtime", lambda _: server.adapters)
    monkeypatch.setattr(lambda_handlers, "work_queue", lambda: server.queue)
    monkeypatch.setattr(lambda_handlers, "check_queue", lambda: server.checks)
    lambda_handlers.ingress(run_task())
    assert (len(server.queue.bodies), server.published) == (1, [])
    assert lambda_handlers.checks(records(*server.checks.bodies)) == {"batchItemFailures": []}
    assert server.published == ["queued"]


CLOCKS = {"arrive": 0, "refused arrive": 0, "cancel": 0, "check": 1, "refused check": 1, "work": 2}
"""What may happen -> whose clock tells when: that of the ingress, of the checks, or of a worker."""


@given(
    ack_s=st.floats(0.5, 60),
    skews_s=st.tuples(*[st.floats(-1, 1)] * 3),
    happenings=st.lists(st.tuples(st.sampled_from(list(CLOCKS)), st.floats(0, 30)), max_size=8),
)
def test_body_after_ack_by_was_acknowledged_before(
    ack_s: float, skews_s: tuple[float, float, float], happenings: list[tuple[str, float]]
) -> None:
    """Rule 6, in whatever order messages arrive, also twice, if AWS refuses and clocks differ."""
    server = Deployed()
    command = run_task(ack_by=utc(NOW + ack_s), start_by=utc(NOW + 600))
    ack_by = utc(NOW + ack_s).timestamp()
    begun: list[tuple[float, bool]] = []
    elapsed_s = 0.0
    for name, after_s in [("arrive", 0.0), *happenings]:
        elapsed_s += after_s
        server.runtime.now = NOW + elapsed_s + skews_s[CLOCKS[name]]
        server.queue.fault = OSError("refused") if name == "refused arrive" else None
        server.claims.fault = OSError("refused") if name == "refused check" else None
        is_over = bool(begun) or bool(server.claims.cancelled)
        published = len(server.published)
        match name:
            case "work":
                server.work(
                    lambda: begun.append((server.runtime.now, "queued" in server.published))
                )
            case "cancel":
                server.arrive(cancel_task())
            case "arrive" | "refused arrive":
                with suppress(OSError):
                    server.arrive(command)
            case _:
                server.check()
                assert not (is_over and server.published[published:])
    assert len(begun) <= 1
    assert all(at <= ack_by or was_queued for at, was_queued in begun)


class _Unreachable:
    def publish(self, messages: object) -> None:
        raise OSError("unreachable")


class _CountingBus(RecordingBus):
    """Refuses one request, which is counted from 1."""

    def __init__(self, refuses: int | None = None) -> None:
        super().__init__()
        self.requests, self._refuses = 0, refuses

    def publish(self, messages: Any) -> None:
        self.requests += 1
        if self.requests == self._refuses:
            raise OSError("throttled")
        super().publish(messages)

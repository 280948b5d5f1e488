"""A worker that died is reported: by the on-failure destination, or by the next delivery."""

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from aws.runtime_in_memory import (
    CancellableMemoryClaims,
    KeptQueue,
    RuntimeInMemory,
    cancel_task,
    records,
    run_task,
)
from cordyna_core.aws import visibility
from cordyna_core.aws.command_handler import handle_event
from cordyna_core.aws.sqs_worker import SqsWorker
from cordyna_core.aws.task_protection import PROTECTED_MINUTES, TaskProtection
from cordyna_core.aws.visibility import (
    VISIBILITY_S,
    extend_visibility,
    kept_visible_to_this_worker,
)
from cordyna_core.aws.work_queue import QueuedCommand
from cordyna_core.aws.worker_death import (
    WHY_MAX_CHARS,
    ObservedClaims,
    report_failed_invocation,
)
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.entrypoints import lambda_handlers
from server.builders import RUN, a_server


def failure(payload: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A record of an on-failure destination."""
    return {
        "requestContext": {"condition": "RetriesExhausted"},
        "requestPayload": payload,
        "responsePayload": {"errorMessage": "Task timed out after 900.00 seconds"},
        **fields,
    }


def died(runtime: RuntimeInMemory) -> TaskStateChanged:
    (update,) = runtime.bus.published
    assert isinstance(update, TaskStateChanged)
    assert (update.state, update.reason, update.attempt) == ("error", "worker_died", 1)
    return update


def test_failed_invocation_is_reported_with_its_message() -> None:
    runtime = RuntimeInMemory()
    report_failed_invocation(failure(run_task()), runtime.adapters)
    update = died(runtime)
    assert update.error is not None
    assert update.error.message == "Task timed out after 900.00 seconds"
    assert update.run_id == RUN


def test_death_of_a_worker_is_cut_and_may_be_retried() -> None:
    runtime = RuntimeInMemory()
    record = failure(run_task(), responsePayload={"errorMessage": "x" * 9_000})
    report_failed_invocation(record, runtime.adapters)
    error = died(runtime).error
    assert error is not None
    assert (error.retryable, error.message) == (True, "x" * WHY_MAX_CHARS)


def test_failed_invocation_without_an_answer_is_reported() -> None:
    runtime = RuntimeInMemory()
    report_failed_invocation(failure(run_task(), responsePayload=None), runtime.adapters)
    assert "without an answer" in str(died(runtime).error)


@pytest.mark.parametrize(
    "record",
    [
        failure(cancel_task()),
        failure(run_task(), requestContext={"condition": "EventAgeExceeded"}),
    ],
)
def test_other_failures_are_not_reported(record: dict[str, Any]) -> None:
    runtime = RuntimeInMemory()
    report_failed_invocation(record, runtime.adapters)
    assert runtime.bus.published == []


def test_failed_handler_speaks_for_the_server_of_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime, servers = RuntimeInMemory(), []

    def build(server: str) -> Any:
        servers.append(server)
        return runtime.adapters

    monkeypatch.setattr(lambda_handlers, "build_server_runtime", build)
    lambda_handlers.failed(failure(run_task()))
    assert servers == [died(runtime).server]


def delivered(deliveries: int, runtime: RuntimeInMemory) -> dict[str, Any] | None:
    event = records(run_task())
    event["Records"][0]["attributes"] = {"ApproximateReceiveCount": str(deliveries)}
    event["Records"][0]["receiptHandle"] = "receipt"
    return handle_event(a_server(task_1=lambda: 1), event, runtime=runtime.adapters)


def test_second_delivery_of_a_claimed_attempt_is_a_death() -> None:
    claims = CancellableMemoryClaims()
    claims.claim(RUN, "task-1", 1)
    runtime = RuntimeInMemory(claims=claims, queue=KeptQueue())
    assert delivered(2, runtime) == {"batchItemFailures": []}
    died(runtime)


@pytest.mark.parametrize("deliveries", [1, 2])
def test_delivery_of_a_free_attempt_runs_it(deliveries: int) -> None:
    runtime = RuntimeInMemory(claims=CancellableMemoryClaims(), queue=KeptQueue())
    delivered(deliveries, runtime)
    assert runtime.published == ["started", "completed"]


def beside_running_body(**options: Any) -> RuntimeInMemory:
    claims = CancellableMemoryClaims()
    claims.claim(RUN, "task-1", 1)
    claims.leased.add((RUN, "task-1", 1))
    return RuntimeInMemory(claims=claims, queue=KeptQueue(**options))


@pytest.mark.parametrize("deliveries", [2, 3, 4])
def test_duplicate_beside_a_running_body_is_kept(deliveries: int) -> None:
    runtime = beside_running_body()
    failed = delivered(deliveries, runtime)
    assert failed == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert runtime.published == []
    assert runtime.adapters.queue is not None
    kept_s = runtime.adapters.queue.held[-1][1]  # type: ignore[attr-defined]
    assert kept_s == VISIBILITY_S * 2 ** (deliveries - 1)


def test_duplicate_becomes_no_dead_letter() -> None:
    runtime = beside_running_body()
    assert delivered(5, runtime) == {"batchItemFailures": []}
    assert runtime.published == []


def test_duplicate_without_a_queue_is_delivered_again() -> None:
    runtime = beside_running_body()
    runtime.adapters = replace(runtime.adapters, queue=None)
    assert delivered(2, runtime) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


@pytest.mark.parametrize("fault", [None, OSError("no network")])
def test_container_keeps_a_duplicate(fault: Exception | None) -> None:
    runtime = beside_running_body()
    queue = KeptQueue(fault=fault)
    worker = SqsWorker(a_server(task_1=lambda: 1), runtime.adapters, queue)  # type: ignore[arg-type]
    worker._handle(QueuedCommand(json.dumps(run_task()), "receipt", 2))
    assert (runtime.published, queue.deleted) == ([], [])
    assert [seconds for _, seconds in queue.held] == ([] if fault else [VISIBILITY_S * 2])


def test_lease_is_renewed_while_the_body_runs() -> None:
    claims = CancellableMemoryClaims()
    runtime, queue = RuntimeInMemory(claims=claims), KeptQueue()

    def task_1() -> None:
        worker.extend_visibility()
        claims.renewal_fault = OSError("throttled")
        worker.extend_visibility()

    worker = SqsWorker(a_server(task_1=task_1), runtime.adapters, queue)  # type: ignore[arg-type]
    worker._handle(QueuedCommand(json.dumps(run_task()), "receipt"))
    assert claims.renewed == [(RUN, "task-1", 1)]
    assert runtime.published == ["started", "completed"]
    assert len(queue.held) == 2


def test_first_delivery_of_a_claimed_attempt_reports_nothing() -> None:
    claims = CancellableMemoryClaims()
    claims.claim(RUN, "task-1", 1)
    runtime = RuntimeInMemory(claims=claims, queue=KeptQueue())
    delivered(1, runtime)
    assert runtime.published == []


def test_record_is_kept_for_a_minute_whatever_its_queue() -> None:
    queue = KeptQueue()
    delivered(1, RuntimeInMemory(queue=queue))
    assert [seconds for _, seconds in queue.held] == [VISIBILITY_S]


def test_visibility_is_extended_while_the_body_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visibility, "HEARTBEAT_INTERVAL_S", 0.0)
    extended = threading.Event()

    class Queue(KeptQueue):
        def hold(self, delivery: QueuedCommand, visibility_s: int) -> None:
            super().hold(delivery, visibility_s)
            if len(self.held) > 2:
                extended.set()

    delivery = QueuedCommand("body", "receipt")
    with kept_visible_to_this_worker(Queue(), delivery, None):  # type: ignore[arg-type]
        assert extended.wait(10)


def test_lease_is_renewed_before_its_message_is_kept() -> None:
    """So that it has ended when the message of a dead worker is delivered again."""
    calls: list[str] = []

    class Claimed(ObservedClaims):
        def renew(self) -> None:
            calls.append("renew")

    class Queue(KeptQueue):
        def hold(self, delivery: QueuedCommand, visibility_s: int) -> None:
            calls.append("hold")

    claims = Claimed(CancellableMemoryClaims())
    extend_visibility(Queue(), QueuedCommand("body", "receipt"), claims)  # type: ignore[arg-type]
    assert calls == ["renew", "hold"]


def test_visibility_that_fails_stops_no_body() -> None:
    queue = KeptQueue(fault=OSError("no such queue"))
    delivery = QueuedCommand("body", "receipt")
    with kept_visible_to_this_worker(queue, delivery, None):  # type: ignore[arg-type]
        pass
    assert queue.held == []


def test_instance_is_protected_while_any_body_runs() -> None:
    states: list[tuple[str, dict[str, Any]]] = []
    protection = TaskProtection(
        "http://agent", lambda url, body: states.append((url, json.loads(body)))
    )
    protection.extend()
    with protection.while_running():
        with protection.while_running():
            protection.extend()
        assert len(states) == 2
    url = "http://agent/task-protection/v1/state"
    on = {"ProtectionEnabled": True, "ExpiresInMinutes": PROTECTED_MINUTES}
    assert states == [(url, on), (url, on), (url, {"ProtectionEnabled": False})]


def test_protection_that_fails_stops_no_body() -> None:
    calls: list[str] = []

    def put(url: str, body: bytes) -> None:
        calls.append("put")
        raise OSError("no agent")

    with TaskProtection("http://agent", put).while_running():
        calls.append("body")
    assert calls == ["put", "body", "put"]


def test_protection_outside_of_ecs_does_nothing() -> None:
    def put(url: str, body: bytes) -> None:
        raise AssertionError(url)

    with TaskProtection(None, put).while_running():
        pass


def test_body_that_outlives_its_container_is_reported_killed() -> None:
    running, end = threading.Event(), threading.Event()

    def task_1() -> None:
        running.set()
        end.wait(10)

    runtime, queue = RuntimeInMemory(), KeptQueue([json.dumps(run_task())])
    worker = SqsWorker(a_server(task_1=task_1), runtime.adapters, queue, drain_max_s=0.0)  # type: ignore[arg-type]
    serving = threading.Thread(target=worker.run, args=(1,))
    serving.start()
    assert running.wait(10)
    worker.drain()
    serving.join(10)
    end.set()
    update = next(
        message for message in runtime.bus.published if getattr(message, "state", "") == "error"
    )
    assert isinstance(update, TaskStateChanged)
    assert update.reason == "killed"
    assert len(queue.deleted) >= 1


def test_stopped_body_that_cannot_be_reported_is_redelivered() -> None:
    queue = KeptQueue()
    worker = SqsWorker(a_server(), RuntimeInMemory().adapters, queue)  # type: ignore[arg-type]
    worker._report_killed(QueuedCommand("no event", "receipt"))
    assert queue.deleted == []

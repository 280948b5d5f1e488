"""The queue ingress: reports `queued`, and puts commands on the work queue."""

import json

import pytest

from aws.runtime_in_memory import (
    CancellableMemoryClaims,
    KeptQueue,
    RuntimeInMemory,
    cancel_task,
    describe_all,
    run_task,
)
from cordyna_core import TaskServer
from cordyna_core.aws.command_handler import handle_event
from cordyna_core.aws.queue_ingress import enqueue
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.entrypoints import lambda_handlers
from server.builders import NOW, a_server


def test_enqueue_command_reports_queued_and_sends_it() -> None:
    queue = KeptQueue()
    runtime = RuntimeInMemory(queue=queue)
    enqueue(run_task(), queue, lambda _: runtime.adapters, TaskServer)  # type: ignore[arg-type]
    assert runtime.published == ["queued"]
    assert [json.loads(body) for body in queue.bodies] == [run_task()]


def test_enqueue_queue_fails_reports_queued_then_failed() -> None:
    queue = KeptQueue()
    runtime = RuntimeInMemory(queue=queue)
    queue.fault = OSError("throttled")
    with pytest.raises(OSError, match="throttled"):
        enqueue(run_task(), queue, lambda _: runtime.adapters, TaskServer)  # type: ignore[arg-type]
    assert runtime.published == ["queued", "error"]
    update = runtime.bus.published[-1]
    assert isinstance(update, TaskStateChanged)
    assert update.reason == "failed"
    assert update.error is not None
    assert update.error.message == "the work queue did not accept the command: throttled"
    assert update.error.retryable


def test_enqueue_stale_command_is_dropped() -> None:
    queue = KeptQueue()
    runtime = RuntimeInMemory(queue=queue)
    runtime.now = NOW + 11
    enqueue(run_task(), queue, lambda _: runtime.adapters, TaskServer)  # type: ignore[arg-type]
    assert (runtime.published, queue.bodies) == ([], [])


def test_enqueue_cancel_is_stored_in_the_claims() -> None:
    queue, claims = KeptQueue(), CancellableMemoryClaims()
    enqueue(cancel_task(), queue, lambda _: RuntimeInMemory(claims=claims).adapters, TaskServer)  # type: ignore[arg-type]
    assert len(claims.cancelled) == 1
    assert queue.bodies == []


def test_enqueue_cancel_without_claims_goes_to_the_queue() -> None:
    queue = KeptQueue()
    enqueue(cancel_task(), queue, lambda _: RuntimeInMemory().adapters, TaskServer)  # type: ignore[arg-type]
    assert [json.loads(body) for body in queue.bodies] == [cancel_task()]


def test_enqueue_declare_goes_to_the_queue() -> None:
    queue = KeptQueue()
    for call in ({}, {"declare": True}, describe_all()):
        enqueue(call, queue, lambda _: RuntimeInMemory().adapters, TaskServer)  # type: ignore[arg-type]
    assert [json.loads(body) for body in queue.bodies] == [
        {"declare": True},
        {"declare": True},
        describe_all(),
    ]


def test_lambda_handler_method_with_queue_enqueues() -> None:
    queue = KeptQueue()
    runtime = RuntimeInMemory(queue=queue)
    handle_event(a_server(task_1=lambda: 1), run_task(), runtime=runtime.adapters)
    assert runtime.published == ["queued"]
    assert len(queue.bodies) == 1


def test_door_needs_no_code_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = KeptQueue()
    runtime, asked = RuntimeInMemory(), list[str]()

    def runtime_of(server: str) -> object:
        asked.append(server)
        return runtime.adapters

    monkeypatch.setattr(lambda_handlers, "build_server_runtime", runtime_of)
    monkeypatch.setattr(lambda_handlers, "work_queue", lambda: queue)
    monkeypatch.delenv("CORDYNA_SERVER", raising=False)
    lambda_handlers.ingress(run_task())
    assert (asked, runtime.published, len(queue.bodies)) == (["task-server-a"], ["queued"], 1)

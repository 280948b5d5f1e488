"""The door before a server's work queue."""

import json

import pytest

from cordyna_core.aws import lambda_handlers
from cordyna_core.aws.lambda_handlers import handle
from cordyna_core.aws.queue_ingress import enqueue
from cordyna_core.contract.state_updates import TaskStateChanged
from server.builders import NOW, a_server
from aws.runtime_in_memory import (
    CancellableMemoryClaims,
    Here,
    KeptQueue,
    cancel_task,
    roll_call,
    run_task,
)


def test_a_command_is_said_to_be_queued_and_waits_for_a_worker() -> None:
    queue = KeptQueue()
    here = Here(queue=queue)
    enqueue(run_task(), queue, lambda server: here.platform)  # type: ignore[arg-type]
    assert here.said == ["queued"]
    assert [json.loads(body) for body in queue.bodies] == [run_task()]


def test_queued_is_said_before_the_command_waits() -> None:
    queue = KeptQueue()
    here = Here(queue=queue)
    queue.fault = OSError("throttled")
    with pytest.raises(OSError, match="throttled"):
        enqueue(run_task(), queue, lambda server: here.platform)  # type: ignore[arg-type]
    assert here.said == ["queued", "error"]
    told = here.bus.published[-1]
    assert isinstance(told, TaskStateChanged)
    assert told.reason == "failed"
    assert told.error is not None
    assert told.error.message == "the work queue did not take the command: throttled"
    assert told.error.retryable


def test_a_command_that_came_too_late_does_not_wait() -> None:
    queue = KeptQueue()
    here = Here(queue=queue)
    here.now = NOW + 11
    enqueue(run_task(), queue, lambda server: here.platform)  # type: ignore[arg-type]
    assert (here.said, queue.bodies) == ([], [])


def test_a_cancellation_is_noted_in_the_claims() -> None:
    queue, claims = KeptQueue(), CancellableMemoryClaims()
    enqueue(cancel_task(), queue, lambda server: Here(claims=claims).platform)  # type: ignore[arg-type]
    assert len(claims.cancelled) == 1
    assert queue.bodies == []


def test_without_claims_a_cancellation_goes_to_whichever_worker_receives_it() -> None:
    queue = KeptQueue()
    enqueue(cancel_task(), queue, lambda server: Here().platform)  # type: ignore[arg-type]
    assert [json.loads(body) for body in queue.bodies] == [cancel_task()]


def test_a_call_to_declare_wakes_a_worker() -> None:
    queue = KeptQueue()
    for call in ({}, {"declare": True}, roll_call()):
        enqueue(call, queue, lambda server: Here().platform)  # type: ignore[arg-type]
    assert [json.loads(body) for body in queue.bodies] == [
        {"declare": True},
        {"declare": True},
        roll_call(),
    ]


def test_the_method_of_a_server_is_the_door_where_a_queue_is_named() -> None:
    queue = KeptQueue()
    here = Here(queue=queue)
    handle(a_server(task_1=lambda: 1), run_task(), platform=here.platform)
    assert here.said == ["queued"]
    assert len(queue.bodies) == 1


def test_the_door_of_the_layer_needs_no_code_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = KeptQueue()
    here, asked = Here(), list[str]()

    def platform(server: str) -> object:
        asked.append(server)
        return here.platform

    monkeypatch.setattr(lambda_handlers, "build_server_runtime", platform)
    monkeypatch.setattr(lambda_handlers, "work_queue", lambda: queue)
    monkeypatch.delenv("CORDYNA_SERVER", raising=False)
    lambda_handlers.door(run_task())
    assert (asked, here.said, len(queue.bodies)) == (["task-server-a"], ["queued"], 1)

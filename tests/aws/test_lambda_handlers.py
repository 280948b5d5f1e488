"""A task server as a Lambda: called by its rule, by its work queue, or by hand."""

from pathlib import Path
from typing import Any

import pytest

from aws.runtime_in_memory import (
    SERVER,
    CancellableMemoryClaims,
    RuntimeInMemory,
    cancel_task,
    describe_all,
    event,
    records,
    run_task,
)
from cordyna_core import Context, UserError
from cordyna_core.aws import command_handler
from cordyna_core.aws.command_handler import handle_event
from cordyna_core.aws.runtime import build_server_runtime, check_queue, work_queue
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import MalformedEvent
from cordyna_core.contract.state_updates import ServerStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.entrypoints import lambda_handlers
from cordyna_core.errors import Fatal
from server.builders import NOW, RUN, a_server


def test_handle_command_of_the_bus_is_run() -> None:
    runtime = RuntimeInMemory()
    assert handle_event(a_server(task_1=lambda: 1), run_task(), runtime=runtime.adapters) is None
    assert runtime.published == ["started", "completed"]


def test_handle_stale_command_is_not_run() -> None:
    runtime = RuntimeInMemory()
    runtime.now = NOW + 11
    handle_event(a_server(task_1=lambda: 1), run_task(), runtime=runtime.adapters)
    assert runtime.published == []


def test_handle_record_after_ack_by_is_run() -> None:
    runtime = RuntimeInMemory()
    runtime.now = NOW + 300
    answer = handle_event(a_server(task_1=lambda: 1), records(run_task()), runtime=runtime.adapters)
    assert answer == {"batchItemFailures": []}
    assert runtime.published == ["started", "completed"]


def test_handle_duplicate_with_claims_runs_once() -> None:
    bodies: list[int] = []
    runtime = RuntimeInMemory(claims=CancellableMemoryClaims())
    for _ in range(2):
        handle_event(
            a_server(task_1=lambda: bodies.append(1)), run_task(), runtime=runtime.adapters
        )
    assert bodies == [1]


def test_handle_failed_record_is_reported_alone() -> None:
    runtime = RuntimeInMemory()
    answer = handle_event(
        a_server(task_1=lambda: 1),
        records("no JSON", run_task(), run_task(server="another")),
        runtime=runtime.adapters,
    )
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": "message-0"}, {"itemIdentifier": "message-2"}]
    }
    assert runtime.published == ["started", "completed"]


@pytest.mark.parametrize("call", [{}, {"declare": True}])
def test_handle_no_event_declares_the_server(call: dict[str, Any]) -> None:
    runtime = RuntimeInMemory()
    handle_event(a_server(task_1=lambda: 1), call, runtime=runtime.adapters)
    declared, ready = runtime.bus.published
    assert isinstance(declared, ServerDeclared)
    assert [task.name for task in declared.tasks] == ["task-1"]
    assert declared.revision == 7
    assert ready.model_copy(update={"meta": None}) == ServerStateChanged(
        server=SERVER, state="ready"
    )


@pytest.mark.parametrize("call", [{"declare": False}, {"declare": True, "server": "another"}])
def test_handle_other_request_declares_nothing(call: dict[str, Any]) -> None:
    runtime = RuntimeInMemory()
    with pytest.raises(MalformedEvent):
        handle_event(a_server(task_1=lambda: 1), call, runtime=runtime.adapters)
    assert runtime.published == []


def test_handle_describe_server_answers_with_ids_of_its_own() -> None:
    runtime = RuntimeInMemory()
    for _ in range(2):
        handle_event(a_server(task_1=lambda: 1), describe_all(), runtime=runtime.adapters)
    metas = [message.meta for message in runtime.bus.published]
    assert [meta.cause for meta in metas if meta] == ["the-request"] * 4
    assert len({meta.id for meta in metas if meta}) == 2


def test_handle_declaration_has_no_defaults() -> None:
    runtime = RuntimeInMemory()
    handle_event(a_server(task_1=lambda: 1), {}, runtime=runtime.adapters)
    declared = runtime.bus.published[0]
    assert declared.model_dump(mode="json", exclude_unset=True)["tasks"] == [
        {"name": "task-1", "owner": "team-a"}
    ]


def test_handle_cancel_is_seen_by_the_body() -> None:
    runtime, seen = RuntimeInMemory(), list[bool]()

    def task_1(*, ctx: Context) -> None:
        handle_event(server, cancel_task(), runtime=runtime.adapters)
        seen.append(ctx.cancelled)

    server = a_server(task_1=task_1)
    handle_event(server, run_task(), runtime=runtime.adapters)
    assert seen == [True]


def test_handle_cancel_elsewhere_is_read_every_few_seconds() -> None:
    claims = CancellableMemoryClaims()
    runtime, seen = RuntimeInMemory(claims=claims), list[bool]()

    def task_1(*, ctx: Context) -> None:
        claims.cancelled.add((RUN, "task-1", 1))
        seen.append(ctx.cancelled)  # not asked yet
        runtime.now += 6
        seen.append(ctx.cancelled)
        seen.append(ctx.cancelled)  # known

    handle_event(a_server(task_1=task_1), run_task(), runtime=runtime.adapters)
    assert seen == [False, True, True]
    assert claims.asked == 1


def test_handle_cancelled_attempt_is_not_run() -> None:
    runtime = RuntimeInMemory(claims=CancellableMemoryClaims())
    handle_event(a_server(task_1=lambda: 1), cancel_task(), runtime=runtime.adapters)
    handle_event(a_server(task_1=lambda: 1), run_task(), runtime=runtime.adapters)
    assert runtime.published == []


def test_handle_command_of_other_source_is_fatal() -> None:
    command = RunTask(
        server=SERVER, run_id=RUN, task="task-1", attempt=1, ack_by=utc(NOW), start_by=utc(NOW)
    )
    for source in ("cordyna.client", "cordyna.server.task-server-b", "cordyna.cerebro.not"):
        with pytest.raises(Fatal, match="may not send commands"):
            handle_event(
                a_server(task_1=lambda: 1),
                event(command, source),
                runtime=RuntimeInMemory().adapters,
            )


def test_handle_message_not_for_servers_is_fatal() -> None:
    refused = event(ServerStateChanged(server=SERVER, state="ready"))
    refused |= {
        "detail-type": "RunStateChanged",
        "detail": {"run_id": RUN, "task": "task-1", "state": "running"},
    }
    with pytest.raises(Fatal, match="RunStateChanged is not a command"):
        handle_event(a_server(), refused, runtime=RuntimeInMemory().adapters)


def test_handle_malformed_event_is_refused() -> None:
    with pytest.raises(MalformedEvent):
        handle_event(a_server(), {"hello": "world"}, runtime=RuntimeInMemory().adapters)


def test_handler_loads_the_server_of_its_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "servers.py").write_text(
        "from cordyna_core import TaskServer\nserver = TaskServer('task-server-a')\n"
    )
    runtime = RuntimeInMemory()
    monkeypatch.setenv("CORDYNA_SERVER", f"{tmp_path}/servers.py")
    monkeypatch.setattr(command_handler, "build_server_runtime", lambda name: runtime.adapters)
    lambda_handlers._server.cache_clear()

    lambda_handlers.handler(None)
    lambda_handlers.worker(records(describe_all()))

    assert runtime.published == ["ServerDeclared", "ready"] * 2
    lambda_handlers._server.cache_clear()


def test_handler_without_server_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CORDYNA_SERVER", raising=False)
    lambda_handlers._server.cache_clear()
    with pytest.raises(UserError, match="set CORDYNA_SERVER"):
        lambda_handlers.handler({})


def test_lambda_handler_method_handles_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = RuntimeInMemory()
    monkeypatch.setattr(command_handler, "build_server_runtime", lambda name: runtime.adapters)
    assert a_server(task_1=lambda: 1).lambda_handler(run_task()) is None
    assert runtime.published == ["started", "completed"]


def test_build_runtime_reads_the_environment_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "CORDYNA_QUEUE_URL": "https://sqs.example/queue",
        "CORDYNA_CLAIMS_TABLE": "claims",
    }.items():
        monkeypatch.setenv(name, value)
    # The process keeps its own output.
    monkeypatch.setattr("cordyna_core.aws.task_log.TaskLog.install", lambda log: None)
    build_server_runtime.cache_clear()
    made = build_server_runtime("a-server")
    assert made is build_server_runtime("a-server")
    assert made.queue is not None
    assert made.claims is not None
    build_server_runtime.cache_clear()


def test_queues_are_those_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    for function in (work_queue, check_queue):
        function.cache_clear()
        request.addfinalizer(function.cache_clear)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("CORDYNA_QUEUE_URL", "https://sqs.example/work")
    monkeypatch.delenv("CORDYNA_CHECK_QUEUE_URL", raising=False)
    assert check_queue() is None
    check_queue.cache_clear()
    monkeypatch.setenv("CORDYNA_CHECK_QUEUE_URL", "https://sqs.example/checks")
    asked = (work_queue(), check_queue())
    assert [queue and queue.url for queue in asked] == [
        "https://sqs.example/work",
        "https://sqs.example/checks",
    ]


def test_door_without_queue_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORDYNA_QUEUE_URL", raising=False)
    work_queue.cache_clear()
    with pytest.raises(UserError, match="set CORDYNA_QUEUE_URL"):
        lambda_handlers.ingress({})

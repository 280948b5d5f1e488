"""A task server as a Lambda: called by its rule, by its work queue, or by hand."""

from pathlib import Path
from typing import Any

import pytest

from cordyna_core import Context, UserError
from cordyna_core.aws import lambda_handlers
from cordyna_core.aws.lambda_handlers import handle
from cordyna_core.aws.runtime import build_server_runtime, work_queue
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import MalformedEvent
from cordyna_core.contract.state_updates import ServerStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.errors import Fatal
from server.builders import NOW, RUN, a_server
from aws.runtime_in_memory import (
    SERVER,
    CancellableMemoryClaims,
    Here,
    cancel_task,
    event,
    records,
    roll_call,
    run_task,
)


def test_a_command_from_the_bus_is_run() -> None:
    here = Here()
    assert handle(a_server(task_1=lambda: 1), run_task(), platform=here.platform) is None
    assert here.said == ["started", "completed"]


def test_a_command_that_came_too_late_is_not_run() -> None:
    here = Here()
    here.now = NOW + 11
    handle(a_server(task_1=lambda: 1), run_task(), platform=here.platform)
    assert here.said == []


def test_a_command_from_the_work_queue_may_be_acknowledged_long_ago() -> None:
    here = Here()
    here.now = NOW + 300
    answer = handle(a_server(task_1=lambda: 1), records(run_task()), platform=here.platform)
    assert answer == {"batchItemFailures": []}
    assert here.said == ["started", "completed"]


def test_an_attempt_that_is_delivered_twice_is_run_once_where_there_are_claims() -> None:
    bodies: list[int] = []
    here = Here(claims=CancellableMemoryClaims())
    for _ in range(2):
        handle(a_server(task_1=lambda: bodies.append(1)), run_task(), platform=here.platform)
    assert bodies == [1]


def test_a_record_that_fails_is_delivered_again_and_holds_up_no_other() -> None:
    here = Here()
    answer = handle(
        a_server(task_1=lambda: 1),
        records("no JSON", run_task(), run_task(server="another")),
        platform=here.platform,
    )
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": "message-0"}, {"itemIdentifier": "message-2"}]
    }
    assert here.said == ["started", "completed"]


@pytest.mark.parametrize("call", [{}, {"declare": True}])
def test_a_call_without_an_event_declares_the_server(call: dict[str, Any]) -> None:
    here = Here()
    handle(a_server(task_1=lambda: 1), call, platform=here.platform)
    declared, ready = here.bus.published
    assert isinstance(declared, ServerDeclared)
    assert [task.name for task in declared.tasks] == ["task-1"]
    assert declared.revision == 7
    assert ready.model_copy(update={"meta": None}) == ServerStateChanged(
        server=SERVER, state="ready"
    )


def test_the_roll_call_is_answered_under_ids_of_its_own() -> None:
    here = Here()
    for _ in range(2):
        handle(a_server(task_1=lambda: 1), roll_call(), platform=here.platform)
    metas = [message.meta for message in here.bus.published]
    assert [meta.cause for meta in metas if meta] == ["the-roll-call"] * 4
    assert len({meta.id for meta in metas if meta}) == 2


def test_a_declaration_carries_no_defaults() -> None:
    here = Here()
    handle(a_server(task_1=lambda: 1), {}, platform=here.platform)
    declared = here.bus.published[0]
    assert declared.model_dump(mode="json", exclude_unset=True)["tasks"] == [
        {"name": "task-1", "owner": "team-a"}
    ]


def test_a_cancellation_is_seen_by_a_body_in_this_process() -> None:
    here, seen = Here(), list[bool]()

    def task_1(*, ctx: Context) -> None:
        handle(server, cancel_task(), platform=here.platform)
        seen.append(ctx.cancelled)

    server = a_server(task_1=task_1)
    handle(server, run_task(), platform=here.platform)
    assert seen == [True]


def test_a_cancellation_elsewhere_is_seen_through_the_claims_every_few_seconds() -> None:
    claims = CancellableMemoryClaims()
    here, seen = Here(claims=claims), list[bool]()

    def task_1(*, ctx: Context) -> None:
        claims.cancelled.add((RUN, "task-1", 1))
        seen.append(ctx.cancelled)  # not asked yet
        here.now += 6
        seen.append(ctx.cancelled)
        seen.append(ctx.cancelled)  # known

    handle(a_server(task_1=task_1), run_task(), platform=here.platform)
    assert seen == [False, True, True]
    assert claims.asked == 1


def test_an_attempt_that_was_cancelled_before_it_began_is_not_run() -> None:
    here = Here(claims=CancellableMemoryClaims())
    handle(a_server(task_1=lambda: 1), cancel_task(), platform=here.platform)
    handle(a_server(task_1=lambda: 1), run_task(), platform=here.platform)
    assert here.said == []


def test_nobody_but_cerebro_commands_a_server() -> None:
    command = RunTask(
        server=SERVER, run_id=RUN, task="task-1", attempt=1, ack_by=utc(NOW), start_by=utc(NOW)
    )
    for source in ("cordyna.client", "cordyna.server.task-server-b", "cordyna.cerebro.not"):
        with pytest.raises(Fatal, match="does not command"):
            handle(a_server(task_1=lambda: 1), event(command, source), platform=Here().platform)


def test_a_server_does_not_hear_what_is_no_command_to_it() -> None:
    told = event(ServerStateChanged(server=SERVER, state="ready"))
    told |= {
        "detail-type": "RunStateChanged",
        "detail": {"run_id": RUN, "task": "task-1", "state": "running"},
    }
    with pytest.raises(Fatal, match="does not hear RunStateChanged"):
        handle(a_server(), told, platform=Here().platform)


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(MalformedEvent):
        handle(a_server(), {"hello": "world"}, platform=Here().platform)


def test_the_function_loads_the_server_that_its_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "servers.py").write_text(
        "from cordyna_core import TaskServer\nserver = TaskServer('task-server-a')\n"
    )
    here = Here()
    monkeypatch.setenv("CORDYNA_SERVER", f"{tmp_path}/servers.py")
    monkeypatch.setattr(lambda_handlers, "build_server_runtime", lambda name: here.platform)
    lambda_handlers._server.cache_clear()

    lambda_handlers.handler(None)
    lambda_handlers.worker(records(roll_call()))

    assert here.said == ["ServerDeclared", "ready"] * 2
    lambda_handlers._server.cache_clear()


def test_a_function_that_does_not_know_its_server_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CORDYNA_SERVER", raising=False)
    lambda_handlers._server.cache_clear()
    with pytest.raises(UserError, match="set CORDYNA_SERVER"):
        lambda_handlers.handler({})


def test_a_team_may_name_the_method_of_its_server_as_the_handler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = Here()
    monkeypatch.setattr(lambda_handlers, "build_server_runtime", lambda name: here.platform)
    assert a_server(task_1=lambda: 1).lambda_handler(run_task()) is None
    assert here.said == ["started", "completed"]


def test_the_platform_is_made_from_the_environment_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "CORDYNA_QUEUE_URL": "https://sqs.example/queue",
        "CORDYNA_CLAIMS_TABLE": "claims",
    }.items():
        monkeypatch.setenv(name, value)
    # The process keeps its own output.
    monkeypatch.setattr("cordyna_core.aws.task_log.TaskLogCapture.install", lambda log: None)
    build_server_runtime.cache_clear()
    made = build_server_runtime("a-server")
    assert made is build_server_runtime("a-server")
    assert made.queue is not None
    assert made.claims is not None
    build_server_runtime.cache_clear()


def test_a_door_without_a_queue_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORDYNA_QUEUE_URL", raising=False)
    work_queue.cache_clear()
    with pytest.raises(UserError, match="set CORDYNA_QUEUE_URL"):
        lambda_handlers.door({})

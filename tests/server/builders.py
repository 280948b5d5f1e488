"""Builders: a command, a server and a bus in one line."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from cordyna_core import TaskResult, TaskServer, UserError
from cordyna_core.contract.base import Message, Meta
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.time import utc
from cordyna_core.testing import RecordingBus

NOW = 1_790_000_000.1239
RUN = derived_id("a run")


def a_server(**functions: Callable[..., Any]) -> TaskServer:
    """A server with one task per function."""
    server = TaskServer("task-server-a", owner="team-a", revision=7)
    for name, function in functions.items():
        server.task(name=name.replace("_", "-"))(function)
    return server


def a_command(task: str = "task-1", **more: Any) -> RunTask:
    """A RunTask that came just now: 10 s to acknowledge, 10 minutes to start."""
    fields: dict[str, Any] = {
        "server": "task-server-a",
        "run_id": RUN,
        "task": task,
        "attempt": 1,
        "ack_by": utc(NOW + 10),
        "start_by": utc(NOW + 600),
        "meta": Meta(id="the-command", traceparent="00-trace-01"),
    }
    return RunTask(**(fields | more))


def run(
    server: TaskServer, command: RunTask, **more: Any
) -> tuple[TaskResult | None, list[Message]]:
    """What `server` answers at NOW, and what it says."""
    bus = RecordingBus()
    answered_with: dict[str, Any] = {"bus": bus, "clock": lambda: NOW} | more
    result = server.run(command, **answered_with)
    return result, bus.published


def states(messages: Sequence[Message]) -> list[str]:
    return [getattr(message, "state", type(message).__name__) for message in messages]


def result_of(
    function: Callable[..., Any], *, upstream: Mapping[str, Any] | None = None, **params: Any
) -> TaskResult:
    """How a body ends as the only task of a server."""
    return a_server(task_1=function).test_run("task-1", upstream=upstream, **params)


def declared(function: Callable[..., Any] = lambda: None, **options: Any) -> TaskDeclaration:
    """`function` as declared under the name x."""
    server = TaskServer("s")
    server.task(**({"name": "x"} | options))(function)
    return server.declaration.tasks[0]


def refusal(function: Callable[..., Any] = lambda: None, **options: Any) -> UserError:
    with pytest.raises(UserError) as refused:
        declared(function, **options)
    return refused.value

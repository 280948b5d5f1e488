"""Async bodies: `async def` tasks, also behind decorators, and how they are cancelled."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import pytest

from cordyna_core import Context, TaskServer, UserError
from cordyna_core.server.cancellation import CancellationFlag
from server.builders import a_command, a_server, run, states


async def doubled(number: int = 1) -> int:
    """An async body with a parameter."""
    await asyncio.sleep(0)
    return 2 * number


@functools.wraps(doubled)
def wrapped(number: int = 1) -> Awaitable[int]:
    return doubled(number)


@functools.wraps(doubled)
def synchronous(number: int = 1) -> int:
    return asyncio.run(doubled(number))


class AsyncCallable:
    """An object whose call is async."""

    async def __call__(self, number: int = 1) -> int:
        return await doubled(number)


def in_a_future(number: int = 1) -> Awaitable[int]:
    """Not a coroutine, but awaitable."""

    class _Result:
        def __await__(self) -> Any:
            return doubled(number).__await__()

    return _Result()


BODIES = [
    doubled,
    wrapped,
    synchronous,
    AsyncCallable(),
    functools.partial(doubled),
    in_a_future,
    lambda number=1: doubled(number),
]


@pytest.mark.parametrize("body", BODIES)
def test_async_body_of_any_kind_returns_its_result(body: Callable[..., Any]) -> None:
    result = a_server(task_1=body).test_run("task-1", number=21)

    assert (result.state, result.output) == ("completed", 42)


def test_async_body_has_schema_and_description() -> None:
    server = TaskServer("s")
    server.task(doubled)

    (declared,) = server.declaration.tasks
    assert declared.params_schema is not None
    assert declared.params_schema["properties"]["number"]["type"] == "integer"
    assert declared.description == "An async body with a parameter."


def test_async_body_raising_fails_with_its_traceback() -> None:
    async def body() -> None:
        await asyncio.sleep(0)
        raise ValueError("no rows")

    result = a_server(task_1=body).test_run("task-1")

    assert result.error is not None
    assert (result.reason, result.error.type) == ("failed", "ValueError")
    assert result.error.traceback is not None
    assert 'raise ValueError("no rows")' in result.error.traceback


def test_async_body_in_a_running_loop_returns_its_result() -> None:
    async def test_of_a_user() -> Any:
        return a_server(task_1=doubled).test_run("task-1", number=2).output

    assert asyncio.run(test_of_a_user()) == 4


kept: list[Any] = []


class CancelledWhileItRuns(CancellationFlag):
    """Requested by another thread as soon as the body's event loop watches it."""

    def watch(self, loop: asyncio.AbstractEventLoop, interrupt: Callable[[], None]) -> Any:
        unwatch = super().watch(loop, interrupt)
        kept.append(loop.run_in_executor(None, self.request))
        return unwatch


class CancelledBetween(CancellationFlag):
    """Requested after the check before the body, and before it is watched."""

    def watch(self, loop: asyncio.AbstractEventLoop, interrupt: Callable[[], None]) -> Any:
        self.request()
        self.request()
        return super().watch(loop, interrupt)


@pytest.mark.parametrize("cancellation", [CancelledWhileItRuns, CancelledBetween])
def test_async_body_cancelled_gets_cancelled_error(
    cancellation: Callable[[], CancellationFlag],
) -> None:
    seen: list[str] = []

    async def body(*, ctx: Context) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(f"cancelled: {ctx.cancelled}")
            raise

    result, published = run(a_server(task_1=body), a_command(), cancelled=cancellation())

    assert seen == ["cancelled: True"]
    assert states(published) == ["started", "error"]
    assert result is not None
    assert result.error is not None
    assert (result.reason, result.error.type) == ("cancelled", "AttemptCancelled")
    assert not result.error.retryable


def test_async_body_that_catches_its_cancellation_completes() -> None:
    async def body() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "half of it"
        return "all of it"

    result, _ = run(a_server(task_1=body), a_command(), cancelled=CancelledWhileItRuns())

    assert result is not None
    assert (result.state, result.output) == ("completed", "half of it")


def test_async_body_that_ended_is_not_watched() -> None:
    async def body() -> int:
        return 1

    flag = CancellationFlag()
    result, _ = run(a_server(task_1=body), a_command(), cancelled=flag)
    flag.request()  # its event loop is closed

    assert result is not None
    assert result.output == 1


def test_async_body_cancelling_itself_fails() -> None:
    async def body() -> None:
        raise asyncio.CancelledError

    result, _ = run(a_server(task_1=body), a_command())

    assert result is not None
    assert result.error is not None
    assert (result.reason, result.error.type) == ("failed", "CancelledError")


def test_async_body_leaves_no_task_or_loop_behind() -> None:
    stopped: Future[str] = Future()

    async def background() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set_result("stopped")

    async def body() -> int:
        kept = asyncio.create_task(background())
        await asyncio.sleep(0)
        assert not kept.done()
        return 1

    assert a_server(task_1=body).test_run("task-1").output == 1
    assert stopped.result(0) == "stopped"


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "4", True])
def test_concurrency_not_a_positive_number_is_refused(concurrency: Any) -> None:
    with pytest.raises(UserError, match="whole number from 1 up"):
        TaskServer("s", concurrency=concurrency)


def test_concurrency_default_is_eight() -> None:
    assert (TaskServer("s").concurrency, TaskServer("s", concurrency=2).concurrency) == (8, 2)

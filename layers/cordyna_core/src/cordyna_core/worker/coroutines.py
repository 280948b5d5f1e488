"""Coroutines: running an `async def` body to its end, with cancellation as CancelledError.

Invariant: the body's coroutine gets CancelledError once, at the next await after the command
arrived; what it does then is its own decision, until the signals follow.
"""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

Wait = Callable[[Callable[[], None]], None]


class CancellationSource:
    """Where a running body learns of its cancellation: a descriptor, and a question."""

    def __init__(self, fd: int, is_cancelled: Callable[[], bool]) -> None:
        self.fd = fd
        self.is_cancelled = is_cancelled


_source: CancellationSource | None = None


def set_source(source: CancellationSource | None) -> None:
    """The source of the attempt that runs in this process now."""
    global _source  # noqa: PLW0603  one attempt at a time runs in a process
    _source = source


def value_of(result: Any) -> Any:
    """`result`, or what it returns if it is a coroutine: the value of any body."""
    if not inspect.iscoroutine(result):
        return result
    return asyncio.run(_cancellable(result, _source))


async def _cancellable(body: Coroutine[Any, Any, Any], source: CancellationSource | None) -> Any:
    if source is None:
        return await body
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(body)

    def check() -> None:
        if source.is_cancelled():
            loop.remove_reader(source.fd)
            task.cancel()

    loop.add_reader(source.fd, check)
    try:
        return await task
    finally:
        loop.remove_reader(source.fd)

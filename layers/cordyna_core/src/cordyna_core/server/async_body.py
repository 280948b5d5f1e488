"""Async bodies: run the coroutine of an `async def` task to its end.

Invariant: each body has an event loop of its own, which is closed when the body ends. The body of a
cancelled attempt gets one asyncio.CancelledError, at the `await` where it is; what it does then is
its own decision.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cordyna_core.server.cancellation import Cancellation
from cordyna_core.server.result import AttemptCancelled


def run_to_end(awaitable: Awaitable[Any], cancelled: Callable[[], bool]) -> Any:
    """Return the result of a body. A `cancelled` that is a Cancellation can interrupt it.

    Raises:
        AttemptCancelled: the attempt was cancelled, and the body did not catch its CancelledError.
        Exception: what the body raises.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_until_cancelled(awaitable, cancelled))
    # The caller is itself in an event loop (a notebook, an async test), which cannot run another.
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as thread:
        main = _until_cancelled(awaitable, cancelled)
        return thread.submit(context.run, asyncio.run, main).result()


async def _until_cancelled(awaitable: Awaitable[Any], cancelled: Callable[[], bool]) -> Any:
    body = asyncio.ensure_future(awaitable)
    was_interrupted = False

    def interrupt() -> None:
        nonlocal was_interrupted
        if not was_interrupted:
            was_interrupted = True
            body.cancel()

    unwatch = (
        cancelled.watch(asyncio.get_running_loop(), interrupt)
        if isinstance(cancelled, Cancellation)
        else lambda: None
    )
    try:
        return await body
    except asyncio.CancelledError:
        if was_interrupted:
            raise AttemptCancelled("the attempt was cancelled while its body ran") from None
        raise
    finally:
        unwatch()

"""Async bodies: run the coroutine of an `async def` task to its end.

Invariant: each body has an event loop of its own, which is closed when the body ends. The body of a
cancelled attempt gets an asyncio.CancelledError at its next `await`.
"""

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from cordyna_core.server.result import AttemptCancelled

CANCELLED_POLL_INTERVAL_S: Final = 0.5

_log = logging.getLogger("cordyna.server")


def run_to_end(awaitable: Awaitable[Any], cancelled: Callable[[], bool]) -> Any:
    """Return the result of a body.

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
    watcher = asyncio.create_task(_cancel_when(cancelled, body))
    try:
        return await body
    except asyncio.CancelledError:
        if watcher.done():
            raise AttemptCancelled("the attempt was cancelled while its body ran") from None
        raise
    finally:
        watcher.cancel()


async def _cancel_when(cancelled: Callable[[], bool], body: "asyncio.Future[Any]") -> None:
    while not _is_cancelled(cancelled):  # noqa: ASYNC110  `cancelled` is polled
        await asyncio.sleep(CANCELLED_POLL_INTERVAL_S)
    body.cancel()


def _is_cancelled(cancelled: Callable[[], bool]) -> bool:
    try:
        return cancelled()
    except Exception:  # noqa: BLE001  it is read again soon
        _log.warning("whether the attempt is cancelled could not be read", exc_info=True)
        return False

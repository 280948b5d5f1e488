"""Termination: a command that is sent SIGTERM ends in order, by an exception in its own thread.

Invariant: the first SIGTERM raises, the next ones end the process; afterwards the handler is the
one of before, unless the block ended by the first SIGTERM.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def terminable(
    raised: type[BaseException], then: Callable[[int, FrameType | None], NoReturn] | signal.Handlers
) -> Iterator[None]:
    """Raise `raised` in the block on the first SIGTERM; `then` handles the next ones."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        signal.signal(signal.SIGTERM, then)
        raise raised

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except raised:
        raise
    except BaseException:
        signal.signal(signal.SIGTERM, previous)
        raise
    else:
        signal.signal(signal.SIGTERM, previous)

"""Cleanliness: whether an attempt left its process as it found it, so that it can be reused.

Invariant: a process that `unclean_reason` calls clean behaves for the next attempt as a new one
would, except for the caches and connections that user code keeps in its modules on purpose.
"""

import faulthandler
import gc
import importlib
import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

_MEMORY_GROWTH_BYTES_MAX: Final = 256 * 1024 * 1024
_STAT_BYTES_MAX: Final = 4096
_EXIT_POLL_S: Final = 0.0005
POLLS_MAX: Final = 100
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_LIMITS: Final = [
    getattr(resource, f"RLIMIT_{name}")
    for name in ("AS", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")
    if hasattr(resource, f"RLIMIT_{name}")
]
_SIGNALS: Final = sorted(map(int, signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}))
# The function under signal.getsignal, which makes an enum of every answer: 20 times the time.
_getsignal: Final[Callable[[int], Any]] = importlib.import_module("_signal").getsignal
_LoggerState = tuple[int, bool, bool, tuple[int, ...]]


class Baseline(NamedTuple):
    """A process before user code runs in it."""

    folder: str | None
    environment: dict[bytes, bytes]
    umask: int
    threads: int
    python_threads: int
    memory_pages: int
    handlers: tuple[Any, ...]
    streams: tuple[int, int, int]
    loggers: dict[str, _LoggerState]
    limits: tuple[tuple[int, int], ...]
    interpreter: tuple[Any, ...]


def take_baseline() -> Baseline:
    """The present state of this process."""
    threads, pages = _threads_and_pages()
    return Baseline(
        folder=_folder(),
        environment=dict(os.environb),
        umask=_umask(),
        threads=threads,
        python_threads=threading.active_count(),
        memory_pages=pages,
        handlers=_handlers(),
        streams=_streams(),
        loggers=_loggers(),
        limits=_limits(),
        interpreter=_interpreter(),
    )


def unclean_reason(before: Baseline) -> str:
    """What an attempt has left changed, "" if nothing. Waits for child processes that ended."""
    try:
        return _unclean_reason(before)
    except Exception as failure:  # noqa: BLE001  a process that cannot be examined is not clean
        return f"a state that cannot be read: {failure!r}"


def _unclean_reason(before: Baseline) -> str:
    has_threads, pages = _has_threads_and_pages(before)
    checks = (
        ("running threads", has_threads),
        ("child processes", _has_children()),
        ("another working folder", _folder() != before.folder),
        ("a changed environment", os.environb._data != before.environment),  # type: ignore[attr-defined]  # noqa: SLF001
        ("another umask", _umask() != before.umask),
        ("other signal handlers", _handlers() != before.handlers),
        ("a running alarm", signal.getitimer(signal.ITIMER_REAL)[0] > 0),
        ("other standard streams", _streams() != before.streams or _is_stream_closed()),
        ("another logging configuration", not _same_loggers(before.loggers)),
        ("other resource limits", _limits() != before.limits),
        ("other settings of the interpreter", _interpreter() != before.interpreter),
        ("much memory", (pages - before.memory_pages) * _PAGE_BYTES > _MEMORY_GROWTH_BYTES_MAX),
    )
    return next((what for what, is_changed in checks if is_changed), "")


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109  no Path object for every attempt
    except FileNotFoundError:  # it was removed
        return None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _has_threads_and_pages(before: Baseline) -> tuple[bool, int]:
    """Whether threads run, and the resident pages.

    A thread of Python that has been joined may still be on its way out of the system.
    """
    threads, pages = _threads_and_pages()
    polls = 0
    while threads > before.threads and not _has_more_python_threads(before) and polls < POLLS_MAX:
        # Sleeping lets it run: the scheduler is fair, so that this does not depend on the load.
        time.sleep(_EXIT_POLL_S)
        polls += 1
        threads, pages = _threads_and_pages()
    return _has_more_python_threads(before) or threads > before.threads, pages


def _has_more_python_threads(before: Baseline) -> bool:
    return threading.active_count() > before.python_threads


def _threads_and_pages() -> tuple[int, int]:
    """Native threads and resident pages; (1, 0) where there is no /proc."""
    try:
        # Without a file object, whose making costs eight system calls.
        stat = os.open("/proc/self/stat", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 1, 0
    try:
        text = os.read(stat, _STAT_BYTES_MAX)
    finally:
        os.close(stat)
    fields = text[text.rindex(b")") + 2 :].split()
    return int(fields[17]), int(fields[21])


def _handlers() -> tuple[Any, ...]:
    return tuple(map(_getsignal, _SIGNALS))


def _limits() -> tuple[tuple[int, int], ...]:
    return tuple(map(resource.getrlimit, _LIMITS))


def _interpreter() -> tuple[Any, ...]:
    """Settings that change how any code runs, in Python and in the system."""
    return (
        gc.isenabled(),
        sys.getrecursionlimit(),
        sys.gettrace(),
        sys.getprofile(),
        faulthandler.is_enabled(),
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        os.nice(0),
    )


def _streams() -> tuple[int, int, int]:
    return id(sys.stdin), id(sys.stdout), id(sys.stderr)


def _is_stream_closed() -> bool:
    return any(getattr(stream, "closed", False) for stream in (sys.stdout, sys.stderr))


def _has_children() -> bool:
    try:
        while True:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return True
    except ChildProcessError:
        return False


def _loggers() -> dict[str, _LoggerState]:
    states = {"": _logger_state(logging.root)}
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):
            states[name] = _logger_state(logger)
    return states


def _same_loggers(before: dict[str, _LoggerState]) -> bool:
    """Whether the loggers that existed are as before; an import may have added others."""
    known = logging.root.manager.loggerDict
    for name, state in before.items():
        logger = known.get(name) if name else logging.root
        if not isinstance(logger, logging.Logger) or _logger_state(logger) != state:
            return False
    return True


def _logger_state(logger: logging.Logger) -> _LoggerState:
    return logger.level, logger.disabled, logger.propagate, tuple(map(id, logger.handlers))

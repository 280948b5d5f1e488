"""Cleanliness: whether an attempt left its process as it found it, so that it can be reused.

Invariant: a process that `unclean_reason` calls clean behaves for the next attempt as a new one
would, except for the caches and connections that user code keeps in its modules on purpose.
"""

import builtins
import faulthandler
import gc
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from cordyna_core.worker.body import process_state
from cordyna_core.worker.body.channel import identity_of

_MEMORY_GROWTH_BYTES_MAX: Final = 256 * 1024 * 1024
_DESCRIPTORS_LEFT_MAX: Final = 64
_EXIT_POLL_S: Final = 0.0005
POLLS_MAX: Final = 100
_SIGNALS: Final = sorted(map(int, signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}))
# The function under signal.getsignal, which makes an enum of every answer: 20 times the time.
_getsignal: Final[Callable[[int], Any]] = importlib.import_module("_signal").getsignal
# The function under locale.setlocale, without the import of a module of regular expressions.
_locale: Final = importlib.import_module("_locale")
_LoggerState = tuple[int, bool, bool, tuple[int, ...]]


class Baseline(NamedTuple):
    """A process before user code runs in it."""

    folder: str | None
    environment: dict[bytes, bytes]
    c_environment: process_state.CEnvironment
    umask: int
    owner: tuple[Any, ...]
    scheduling: tuple[Any, ...]
    stdin: tuple[int, int] | None
    descriptor: int
    threads: int
    python_threads: int
    memory_bytes: int
    handlers: tuple[Any, ...]
    streams: tuple[int, int, int]
    loggers: dict[str, _LoggerState]
    limits: tuple[tuple[int, int], ...]
    interpreter: tuple[Any, ...]
    builtins: dict[str, Any]
    modules: int


def take_baseline() -> Baseline:
    """Return the present state of this process."""
    return Baseline(
        folder=process_state.folder(),
        environment=dict(os.environb),
        c_environment=process_state.CEnvironment(),
        umask=process_state.umask(),
        owner=process_state.owner(),
        scheduling=process_state.scheduling(),
        stdin=identity_of(0),
        descriptor=process_state.lowest_free_descriptor(),
        threads=process_state.threads(),
        python_threads=threading.active_count(),
        memory_bytes=process_state.memory_bytes(),
        handlers=_handlers(),
        streams=_streams(),
        loggers=_loggers(),
        limits=process_state.limits(),
        interpreter=_interpreter(),
        builtins=dict(vars(builtins)),
        modules=len(sys.modules),
    )


def unclean_reason(before: Baseline) -> str:
    """Return what an attempt has left changed, "" if nothing.

    Waits for child processes that ended.
    """
    try:
        return _unclean_reason(before)
    except Exception as failure:  # noqa: BLE001  a process that cannot be examined is not clean
        return f"a state that cannot be read: {failure!r}"


def _unclean_reason(before: Baseline) -> str:
    state = process_state
    left_open = state.lowest_free_descriptor() - before.descriptor
    checks = (
        ("running threads", _has_threads(before)),
        ("child processes", _has_children()),
        ("another working folder", state.folder() != before.folder),
        ("a changed environment", _has_changed_environment(before)),
        ("another umask", state.umask() != before.umask),
        ("other signal handlers", _handlers() != before.handlers or _has_wakeup()),
        ("a running alarm", state.has_running_timer()),
        ("other standard streams", _has_changed_streams(before)),
        ("another logging configuration", not _same_loggers(before.loggers)),
        ("other resource limits", state.limits() != before.limits),
        ("another user, group or process group", state.owner() != before.owner),
        ("another priority", state.scheduling() != before.scheduling),
        ("many open descriptors", left_open > _DESCRIPTORS_LEFT_MAX),
        ("other settings of the interpreter", _interpreter() != before.interpreter),
        ("changed built-in functions", _has_changed_builtins(before)),
        ("much memory", state.has_memory_beyond(before.memory_bytes + _MEMORY_GROWTH_BYTES_MAX)),
    )
    return next((what for what, is_changed in checks if is_changed), "")


def _has_threads(before: Baseline) -> bool:
    """Return whether threads run.

    A thread of Python that has been joined may still be on its way out of the system.
    """
    threads = process_state.threads()
    polls = 0
    while threads > before.threads and not _has_more_python_threads(before) and polls < POLLS_MAX:
        # Sleeping lets it run: the scheduler is fair, so that this does not depend on the load.
        time.sleep(_EXIT_POLL_S)
        polls += 1
        threads = process_state.threads()
    return _has_more_python_threads(before) or threads > before.threads


def _has_more_python_threads(before: Baseline) -> bool:
    return threading.active_count() > before.python_threads


def _handlers() -> tuple[Any, ...]:
    return tuple(map(_getsignal, _SIGNALS))


def _has_wakeup() -> bool:
    """Return whether every signal is also written to a descriptor, which may be closed by now."""
    # Not restored: the process then ends.
    return signal.set_wakeup_fd(-1) != -1


def _has_changed_environment(before: Baseline) -> bool:
    variables = os.environb._data  # type: ignore[attr-defined]  # noqa: SLF001  no copy
    return variables != before.environment or before.c_environment.is_changed()


def _has_changed_builtins(before: Baseline) -> bool:
    """Return whether names that every module uses mean something else, or modules are gone.

    Other changed modules are the affair of their server.
    """
    if len(sys.modules) < before.modules:
        return True
    now = vars(builtins)
    # Equal in the common case, which costs little; what was added does no harm.
    return now != before.builtins and any(
        now.get(name) is not value for name, value in before.builtins.items()
    )


def _interpreter() -> tuple[Any, ...]:
    """Return settings that change how any code runs, in Python and in the system."""
    return (
        gc.isenabled(),
        sys.getrecursionlimit(),
        sys.gettrace(),
        sys.getprofile(),
        faulthandler.is_enabled(),
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        sys.getswitchinterval(),
        sys.excepthook,
        sys.unraisablehook,
        threading.excepthook,
        _locale.setlocale(_locale.LC_ALL),
    )


def _streams() -> tuple[int, int, int]:
    return id(sys.stdin), id(sys.stdout), id(sys.stderr)


def _has_changed_streams(before: Baseline) -> bool:
    is_closed = any(getattr(stream, "closed", False) for stream in (sys.stdout, sys.stderr))
    return is_closed or _streams() != before.streams or identity_of(0) != before.stdin


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
    """Return whether the loggers that existed are as before; an import may have added others."""
    known = logging.root.manager.loggerDict
    for name, state in before.items():
        logger = known.get(name) if name else logging.root
        if not isinstance(logger, logging.Logger) or _logger_state(logger) != state:
            return False
    return True


def _logger_state(logger: logging.Logger) -> _LoggerState:
    return logger.level, logger.disabled, logger.propagate, tuple(map(id, logger.handlers))

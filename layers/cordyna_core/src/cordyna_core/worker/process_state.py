"""Process state: what the system keeps about this process, and an attempt may change.

Invariant: each reading costs a few microseconds, because all are taken after every attempt.
"""

import ctypes
import os
import resource
import signal
from typing import Any, Final

LIMITS: Final = [
    getattr(resource, f"RLIMIT_{name}")
    for name in ("AS", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")
    if hasattr(resource, f"RLIMIT_{name}")
]
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_POINTER_BYTES: Final = ctypes.sizeof(ctypes.c_void_p)


def folder() -> str | None:
    """The working folder; None if it was removed."""
    try:
        return os.getcwd()  # noqa: PTH109  no Path object for every attempt
    except FileNotFoundError:
        return None


def umask() -> int:
    """The mask of new files."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def limits() -> tuple[tuple[int, int], ...]:
    """The resource limits that code meets in practice."""
    return tuple(map(resource.getrlimit, LIMITS))


def has_running_timer() -> bool:
    """Whether a signal of a timer is due: it would end a later attempt."""
    return any(signal.getitimer(timer)[0] > 0 for timer in _TIMERS)


def owner() -> tuple[Any, ...]:
    """For whom the process runs: users, groups, and the process group that the host signals."""
    ids = (os.getuid(), os.geteuid(), os.getgid(), os.getegid())
    return (*ids, os.getgroups(), os.getpgrp())


def scheduling() -> tuple[Any, ...]:
    """When and where the process runs."""
    if not hasattr(os, "sched_getaffinity"):
        return (os.nice(0),)
    return os.nice(0), os.sched_getscheduler(0), os.sched_getaffinity(0)


def lowest_free_descriptor() -> int:
    """The number that the next open file gets: it grows with what is left open."""
    descriptor = os.dup(1)
    os.close(descriptor)
    return descriptor


class CEnvironment:
    """The environment as C code and child processes have it: `os.putenv` passes `os.environ` by."""

    def __init__(self) -> None:
        self._variables = _c_environment()
        self._address = self._variables.value if self._variables is not None else None
        self._pointers = _pointers_at(self._address)
        self._block = self._read_block()
        self._content = _strings(self._pointers)

    def is_changed(self) -> bool:
        """Whether a variable was added, removed or given another value."""
        address = self._variables.value if self._variables is not None else None
        # A variable that is set is always a new string, so that the same pointers say enough.
        if address == self._address and self._read_block() == self._block:
            return False
        return _strings(_pointers_at(address)) != self._content

    def _read_block(self) -> bytes:
        """The array of pointers, as long as it was at first: so much memory is its own."""
        if not self._address:
            return b""
        return ctypes.string_at(self._address, (len(self._pointers) + 1) * _POINTER_BYTES)


def _pointers_at(address: int | None) -> tuple[int, ...]:
    if not address:
        return ()
    array = ctypes.cast(address, ctypes.POINTER(ctypes.c_void_p))
    pointers: list[int] = []
    while pointer := array[len(pointers)]:
        pointers.append(pointer)
    return tuple(pointers)


def _strings(pointers: tuple[int, ...]) -> list[bytes]:
    return sorted(map(ctypes.string_at, pointers))


def _c_environment() -> ctypes.c_void_p | None:
    try:
        return ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ")
    except ValueError:  # macOS keeps it elsewhere, and has no body that is reused after a fork
        return None

"""Process state: what the system keeps about this process, and an attempt may change.

Invariant: each reading costs a few microseconds, because all are taken after every attempt.
"""

import ctypes
import os
import resource
import signal
import sys
from typing import Any, Final

LIMITS: Final = [
    getattr(resource, f"RLIMIT_{name}")
    for name in ("AS", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")
    if hasattr(resource, f"RLIMIT_{name}")
]
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_STATUS_BYTES_MAX: Final = 4096
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_MAXRSS_UNIT_BYTES: Final = 1 if sys.platform == "darwin" else 1024
_POINTER_BYTES: Final = ctypes.sizeof(ctypes.c_void_p)


def folder() -> str | None:
    """Return the working folder; None if it was removed."""
    try:
        return os.getcwd()  # noqa: PTH109  no Path object for every attempt
    except FileNotFoundError:
        return None


def umask() -> int:
    """Return the mask of new files."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def limits() -> tuple[tuple[int, int], ...]:
    """Return the resource limits that code meets in practice."""
    return tuple(map(resource.getrlimit, LIMITS))


def has_running_timer() -> bool:
    """Return whether a signal of a timer is due: it would end a later attempt."""
    return any(signal.getitimer(timer)[0] > 0 for timer in _TIMERS)


def owner() -> tuple[Any, ...]:
    """For whom the process runs: users, groups, and the process group that the host signals."""
    ids = (os.getuid(), os.geteuid(), os.getgid(), os.getegid())
    return (*ids, os.getgroups(), os.getpgrp())


def scheduling() -> tuple[Any, ...]:
    """Return when and where the process runs."""
    if not hasattr(os, "sched_getaffinity"):
        return (os.nice(0),)
    return os.nice(0), os.sched_getscheduler(0), os.sched_getaffinity(0)


def threads() -> int:
    """Return how many threads the system counts; 1 where there is no /proc."""
    try:
        # Each thread has a folder there, and a folder a link. To read the status costs much more.
        links = os.stat("/proc/self/task").st_nlink - 2  # noqa: PTH116
    except FileNotFoundError:
        return 1
    # Not every substitute of /proc counts links.
    return links if links > 0 else int(_status(17))


def memory_bytes() -> int:
    """Return what the process holds in memory now; 0 where there is no /proc."""
    try:
        return int(_status(21)) * _PAGE_BYTES
    except FileNotFoundError:
        return 0


def has_memory_beyond(limit: int) -> bool:
    """Return whether the process holds more than this many bytes in memory now."""
    # The most that it ever held costs less to ask for.
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT_BYTES
    return most > limit and memory_bytes() > limit


def _status(field: int) -> bytes:
    """Return a field of the process's status, counted from the one after its name."""
    # Without a file object, whose making costs eight system calls.
    status = os.open("/proc/self/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(status, _STATUS_BYTES_MAX)
    finally:
        os.close(status)
    return text[text.rindex(b")") + 2 :].split()[field]


def lowest_free_descriptor() -> int:
    """Return the number that the next open file gets: it grows with what is left open."""
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
        """Return whether a variable was added, removed or given another value."""
        address = self._variables.value if self._variables is not None else None
        # A variable that is set is always a new string, so that the same pointers say enough.
        if address == self._address and self._read_block() == self._block:
            return False
        return _strings(_pointers_at(address)) != self._content

    def _read_block(self) -> bytes:
        """Return the array of pointers, as long as it was at first: so much memory is its own."""
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

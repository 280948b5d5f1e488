"""Fork safety: whether a process that has imported user code may fork bodies.

Invariant: `unsafe_reason` returns "" only for a process with one thread and without descriptors
whose state a fork would share (sockets, epoll, devices). Files and pipes are allowed.
"""

import os
import sys
import threading
from collections.abc import Collection
from typing import Final

_PLAIN_DEVICES: Final = frozenset({"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"})
_LISTED_MAX: Final = 3


def unsafe_reason(own_fds: Collection[int]) -> str:
    """Return why forking is not safe, "" if it is. `own_fds` are the worker's own descriptors."""
    if sys.platform != "linux":
        return f"bodies are always spawned on {sys.platform}"
    names = [
        thread.name for thread in threading.enumerate() if thread is not threading.main_thread()
    ]
    if names:
        return f"the import left threads running: {_listed(names)}"
    if not _probe_fork():
        return "a forked process did not start"
    # Counted after a fork: libraries such as OpenBLAS end their threads before one.
    native = len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208
    if native:
        return f"the import left {native} native threads running"
    shared_fds = [
        described for fd in _open_fds() if fd not in own_fds and (described := _shared(fd))
    ]
    return f"the import left open {_listed(shared_fds)}" if shared_fds else ""


def _probe_fork() -> bool:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _open_fds() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208


def _shared(fd: int) -> str:
    """Return what a descriptor shares with a forked process beyond a file position.

    Empty if nothing.
    """
    try:
        link = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115
    except OSError:  # the descriptor of the listing itself
        return ""
    if link.startswith("socket:"):
        return "a socket"
    if link.startswith("anon_inode:"):
        return link.removeprefix("anon_inode:").strip("[]")
    if link.startswith("/dev/") and link not in _PLAIN_DEVICES and not link.startswith("/dev/shm/"):  # noqa: S108
        return link
    return ""


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED_MAX
    return ", ".join(names[:_LISTED_MAX]) + (f" and {more} more" if more > 0 else "")

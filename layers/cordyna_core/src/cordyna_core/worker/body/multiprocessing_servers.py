"""Multiprocessing servers: the helper processes that `multiprocessing` keeps until Python exits.

A pool of the start method `spawn` or `forkserver` starts a resource tracker, and the latter also a
fork server. They inherit the output of the attempt that started them, so they end with it.

Invariant: only helpers of this very process are ended, and only if no child process is left that
may use them.
"""

import os
import sys
from typing import Any, Final

from cordyna_core.worker import processes

_HELPERS: Final = (
    ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
    ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
)


def background_pids() -> frozenset[int]:
    """Return the helpers that this process knows: after a fork, also those of its parent."""
    return frozenset(pid for _, pid in _running())


def stop_background_processes(before: frozenset[int]) -> None:
    """End the helpers that were started since `before` was read."""
    started = {pid: helper for helper, pid in _running() if pid not in before}
    if not started or sys.modules["multiprocessing"].active_children():
        return
    # Another child may hold a helper's pipe, and the helper would then be waited for without end.
    if set(processes.children_of(os.getpid())) <= started.keys():
        for helper in started.values():
            helper._stop()  # noqa: SLF001  what the tests of multiprocessing call


def _running() -> list[tuple[Any, int]]:
    helpers = []
    for module, name, pid_name in _HELPERS:
        helper = getattr(sys.modules.get(module), name, None)
        pid = getattr(helper, pid_name, None)
        if isinstance(pid, int):
            helpers.append((helper, pid))
    return helpers

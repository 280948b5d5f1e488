"""Children: the processes that the host supervises, and the only places where they are waited for.

Invariant: a process is waited for (and its number freed) only when its owner has finished with its
group. Until then its number cannot name another process.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from typing import Final

from cordyna_core.worker import processes
from cordyna_core.worker.host.loop import Loop

_KILL_ROUNDS_MAX: Final = 100


class Child:
    """A supervised process, the leader of its group. `on_exit` is called once, before `reap`."""

    __slots__ = ("_reap", "exit_code", "is_reaped", "on_exit", "pid")

    def __init__(self, pid: int, on_exit: Callable[[int], None], reap: Callable[[int], None]):
        self.pid = pid
        self.on_exit = on_exit
        self.exit_code: int | None = None
        self.is_reaped = False
        self._reap = reap

    def exited(self, code: int) -> None:
        """Record the exit code, and call back the first time."""
        if self.exit_code is None:
            self.exit_code = code
            self.on_exit(code)

    def signal_group(self, signum: int) -> None:
        """Signal the group, unless its number may be another's by now."""
        if not self.is_reaped:
            processes.signal_group(self.pid, signum)

    def is_group_alive(self) -> bool:
        """Return whether a member of the group has not ended."""
        return not self.is_reaped and processes.is_group_alive(self.pid)

    def reap(self) -> None:
        """Free the number of a process that has exited."""
        if not self.is_reaped:
            self.is_reaped = True
            self._reap(self.pid)


class ChildTable:
    """The host's own children: those it started, and those it adopted."""

    def __init__(self, loop: Loop) -> None:
        self._children: dict[int, Child] = {}
        self._left: set[int] = set()
        self._wakeup: Final = (
            os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else _pipe()
        )
        signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        loop.on_readable(self._wakeup[0], self._woken)

    def add(self, pid: int, on_exit: Callable[[int], None]) -> Child:
        """Supervise a child of this process."""
        child = self._children[pid] = Child(pid, on_exit, self._reap)
        return child

    def adopt(self, child: Child) -> None:
        """Supervise a process whose parent, a template, has ended."""
        if child.is_reaped:
            return
        self._children[child.pid] = Child(child.pid, child.exited, self._reap)
        child._reap = self._reap  # noqa: SLF001  the same class: the number is freed here from now on

    def leave_alone(self, pids: Iterable[int]) -> None:
        """These are descendants that a completed attempt left on purpose."""
        self._left.update(pids)

    def kill_orphans(self) -> None:
        """SIGKILL adopted processes that no completed attempt left, with their descendants."""
        for _ in range(_KILL_ROUNDS_MAX):
            orphans = self._orphans()
            if not orphans:
                break
            processes.kill_all([*orphans, *processes.descendants_of(orphans)])
        self._reap_ended_orphans()

    def kill_groups(self) -> None:
        """SIGKILL the group of every child."""
        for child in self._children.values():
            child.signal_group(signal.SIGKILL)

    def check(self) -> None:
        """Notice which children have exited."""
        for child in list(self._children.values()):
            if child.exit_code is None:
                self._check(child)
        self._reap_ended_orphans()

    def _orphans(self) -> list[int]:
        own = os.getpid()
        return [
            stat.pid
            for stat in processes.all_processes()
            if stat.parent == own
            and stat.is_alive
            and stat.pid not in self._children
            and stat.pid not in self._left
        ]

    def _reap_ended_orphans(self) -> None:
        for pid in processes.children_of(os.getpid()):
            if pid not in self._children:
                with contextlib.suppress(ChildProcessError):
                    if os.waitpid(pid, os.WNOHANG)[0]:
                        self._left.discard(pid)

    def _check(self, child: Child) -> None:
        try:
            code = processes.exit_code_of(child.pid)
        except ChildProcessError:
            # Not a child any more: its parent ended where nothing adopts, and init has waited.
            child.is_reaped = True
            del self._children[child.pid]
            code = -signal.SIGKILL
        if code is not None:
            child.exited(code)

    def _reap(self, pid: int) -> None:
        self._children.pop(pid, None)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wakeup[0], 4096)
        self.check()


def _pipe() -> tuple[int, int]:
    """Return a pipe whose ends do not block, where there is no pipe2."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _ignore(signum: int, frame: object) -> None:
    """Only the wakeup descriptor matters."""

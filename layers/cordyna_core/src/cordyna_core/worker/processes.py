"""Processes: what the host asks of the kernel about processes, and how it ends them.

Invariant: a signal goes to a process number only while a process that is not yet waited for holds
it, so that it cannot reach another process.

On Linux a subreaper adopts orphans, and a parent-death signal ends bodies whose host is gone. On
other systems these calls do nothing: there only process groups are ended.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

IS_LINUX: Final = sys.platform == "linux"

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_OOM_SCORE_ADDED: Final = 300
_OOM_SCORE_MAX: Final = 1000
_KILL_ROUNDS_MAX: Final = 100
_DESCRIPTORS_MAX: Final = 65_536


class ProcessStat(NamedTuple):
    """One process, from /proc/PID/stat."""

    pid: int
    state: str
    parent: int
    group: int

    @property
    def is_alive(self) -> bool:
        return self.state not in "ZXx"


class Progress(NamedTuple):
    """What a process does now, and how long it has run so far."""

    state: str
    cpu_s: float


def progress_of(pid: int) -> Progress | None:
    """Return the progress of a process; None where it has ended, or there is no /proc."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return None
    ticks = int(fields[11]) + int(fields[12])  # utime and stime, counted from the state
    return Progress(fields[0].decode(), ticks / os.sysconf("SC_CLK_TCK"))


def become_subreaper() -> bool:
    """Adopt the orphans among this process's descendants. Whether the system can."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


class DescriptorLimit:
    """The number of files that a process may open, raised for the host and not for user code.

    (Code that uses select() fails with descriptors above 1,024.)
    """

    def __init__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def raise_to_most(self) -> None:
        """Allow what the system allows."""
        soft, hard = self._before
        most = _DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS_MAX)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))

    def restore(self) -> None:
        """Undo `raise_to_most`; in a process that is about to run user code."""
        resource.setrlimit(resource.RLIMIT_NOFILE, self._before)


DESCRIPTOR_LIMIT: Final = DescriptorLimit()


def die_with_parent(parent: int) -> None:
    """Get SIGKILL when the parent's thread that started this process ends, or exit if it has."""
    if not _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL):
        return
    if os.getppid() != parent:
        os._exit(1)


def raise_oom_score() -> None:
    """Let the kernel end this process before its host and its engine when memory runs out."""
    path = "/proc/self/oom_score_adj"
    # The value may be out of reach in a container; the default score is then kept.
    with contextlib.suppress(OSError, ValueError):
        score = int(_read(path))
        with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(str(min(_OOM_SCORE_MAX, score + _OOM_SCORE_ADDED)))


def all_processes() -> list[ProcessStat]:
    """Return every process that can be seen; none where there is no /proc."""
    try:
        names = os.listdir("/proc")  # noqa: PTH208  read for each of thousands of processes
    except FileNotFoundError:
        return []
    stats = (_read_stat(name) for name in names if name.isdigit())
    return [stat for stat in stats if stat is not None]


def children_of(pid: int) -> list[int]:
    """Return the live and dead children of a process."""
    return [stat.pid for stat in all_processes() if stat.parent == pid]


def descendants_of(pids: Iterable[int]) -> list[int]:
    """Return all live descendants of some processes, parents before children.

    Without the processes themselves.
    """
    children: dict[int, list[ProcessStat]] = {}
    for stat in all_processes():
        children.setdefault(stat.parent, []).append(stat)
    descendants: list[int] = []
    open_pids = list(pids)
    while open_pids:
        for stat in children.get(open_pids.pop(), ()):
            open_pids.append(stat.pid)
            if stat.is_alive:
                descendants.append(stat.pid)
    return descendants


def is_group_alive(group: int) -> bool:
    """Return whether a process group has a member that has not ended."""
    if IS_LINUX:
        return any(stat.group == group and stat.is_alive for stat in all_processes())
    return signal_group(group, 0)


def signal_group(group: int, signum: int) -> bool:
    """Send a signal to a group, and to its leader, who may have left it.

    False when there is no process that may be signalled.
    """
    is_sent = _is_sent(os.killpg, group, signum)
    try:
        has_left = os.getpgid(group) != group
    except ProcessLookupError:
        return is_sent
    return (has_left and _is_sent(os.kill, group, signum)) or is_sent


def _is_sent(send: Callable[[int, int], None], number: int, signum: int) -> bool:
    try:
        send(number, signum)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def kill_all(pids: Iterable[int]) -> None:
    """SIGKILL each process that still exists."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def end_own_descendants() -> None:
    """SIGKILL what descends from this process, and wait until nothing is left of it."""
    with contextlib.suppress(ChildProcessError):
        while True:
            # Again after each one that ended: what it left is adopted, and may still be forking.
            kill_all(descendants_of([os.getpid()]))
            os.waitpid(-1, 0)


def kill_marked(entry: str) -> None:
    """SIGKILL what has `NAME=value` in its environment, as often as more of it appears."""
    for _ in range(_KILL_ROUNDS_MAX):
        marked = with_environment(entry)
        if not marked:
            return
        kill_all(marked)


def with_environment(entry: str) -> list[int]:
    """Return the live processes that were started with `NAME=value` in their environment."""
    wanted = entry.encode()
    own = os.getpid()
    return [
        stat.pid
        for stat in all_processes()
        if stat.is_alive and stat.pid != own and wanted in _read_environment(stat.pid)
    ]


def exit_code_of(pid: int) -> int | None:
    """Return the exit code of a child that has ended, negative for a signal; None while it runs.

    The child keeps its number until it is waited for, except on macOS before Python 3.13.

    Raises:
        ChildProcessError: it is not a child of this process.
    """
    if not hasattr(os, "waitid"):
        ended, status = os.waitpid(pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if ended else None
    exit_status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if exit_status is None:
        return None
    return exit_status.si_status if exit_status.si_code == os.CLD_EXITED else -exit_status.si_status


def describe_exit(code: int) -> str:
    """Return an exit code as os.waitstatus_to_exitcode gives it, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"


def _prctl(option: int, value: int) -> bool:
    if not IS_LINUX:
        return False
    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def _read_stat(pid: str) -> ProcessStat | None:
    try:
        text = _read(f"/proc/{pid}/stat")
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return None
    # The name is in parentheses, and may contain any character.
    state, parent, group = text[text.rindex(b")") + 2 :].split(maxsplit=3)[:3]
    return ProcessStat(int(pid), state.decode(), int(parent), int(group))


def _read_environment(pid: int) -> list[bytes]:
    try:
        return _read(f"/proc/{pid}/environ").split(b"\0")
    except OSError:  # it ended meanwhile, or belongs to another user
        return []


def _read(path: str) -> bytes:
    # Without pathlib, whose import takes a tenth of the host's start.
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()

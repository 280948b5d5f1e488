"""Worker group: the process group of one worker, from its start to its end.

A template reports the process of a body that it forks; until then the process is not known, and a
signal waits for it.

Invariant: the leader is waited for (`close`) only after `await_end` has called back: when no member
of a group that was ended by force can run any more.
"""

import signal
from collections.abc import Callable
from typing import Final

from cordyna_core.worker import processes
from cordyna_core.worker.host.children import Child
from cordyna_core.worker.host.loop import Timer
from cordyna_core.worker.host.services import Services

_POLL_S: Final = 0.02
_POLLS_MAX: Final = 1000


class WorkerGroup:
    """See the module. `on_stuck`: the group was killed, but its end was not reported."""

    def __init__(self, services: Services, on_stuck: Callable[[], None]) -> None:
        self._services, self._on_stuck = services, on_stuck
        self._child: Child | None = None
        self._signal_due: int | None = None
        self._timer: Timer | None = None
        self._polls = 0
        self._is_closed = False
        self.is_forced = False

    @property
    def pid(self) -> int | None:
        """The leader, once it is known."""
        return None if self._child is None else self._child.pid

    @property
    def exit_code(self) -> int | None:
        """How the leader ended, once it has."""
        return None if self._child is None else self._child.exit_code

    def set_child(self, child: Child, on_exit: Callable[[int], None]) -> None:
        """Note the leader, which was started. `on_exit` is called when it has ended."""
        self._child = child
        child.on_exit = on_exit
        if self._signal_due is not None:
            child.signal_group(self._signal_due)

    def leave_descendants(self) -> None:
        """Leave running what the leader has started, when the group is ended."""
        if self._child is not None:
            self._services.children.leave_alone(processes.descendants_of([self._child.pid]))

    def force_later(self, force: Callable[[], None]) -> None:
        """Call `force` when the leader has not ended after `kill_after_s`."""
        self._timer = self._after(self._services.settings.kill_after_s, force)

    def end_by_force(self) -> None:
        """Send SIGTERM to the group, and SIGKILL after `kill_after_s`."""
        if self.is_forced:
            return
        self.is_forced = True
        self.signal(signal.SIGTERM)
        if self._timer is not None:
            self._timer.cancel()
        self.force_later(lambda: self.signal(signal.SIGKILL))

    def signal(self, signum: int) -> None:
        """Send a signal to the group; once it is known, if it is not yet."""
        if signum == signal.SIGKILL:
            self._after(self._services.settings.template_timeout_s, self._check_ended)
        if self._child is not None:
            self._child.signal_group(signum)
        else:
            self._signal_due = signum

    def await_end(self, on_end: Callable[[], None]) -> None:
        """Call back when the leader has ended, and its group too if that is ended by force."""
        child = self._child
        has_ended = child is None or not self.is_forced or not child.is_group_alive()
        self._polls += 1
        # Only a process inside a system call that cannot be interrupted outlives SIGKILL.
        if has_ended or self._polls > _POLLS_MAX:
            on_end()
        else:
            self._after(_POLL_S, lambda: self.await_end(on_end))

    def close(self) -> None:
        """Wait for the leader: its number is free from now on."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._child is not None:
            self._child.reap()

    def _check_ended(self) -> None:
        if self.exit_code is None and not self._is_closed:
            self._on_stuck()

    def _after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self._services.loop.timers.after(delay_s, callback)

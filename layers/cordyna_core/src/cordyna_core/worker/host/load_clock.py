"""Load clock: how long a server may take from the start of its process to its declaration.

Invariant: only the server's own time counts, not that in which its process was ready to run and did
not run. So one that hangs is found, and forty that load beside each other, or one on a starved
machine, are not taken for it. After `load_limit_s` any load has failed.
"""

from collections.abc import Callable, Iterator
from typing import Final

from cordyna_core.worker.cpu_wait import CpuWait
from cordyna_core.worker.host.loop import Loop, Timer
from cordyna_core.worker.processes import Progress
from cordyna_core.worker.settings import Settings

_SAMPLE_INTERVAL_S: Final = 1.0


class LoadClock:
    """The clock of one load, from now on. Calls `on_timeout` with the limit in seconds, once."""

    def __init__(self, loop: Loop, settings: Settings, on_timeout: Callable[[float], None]) -> None:
        self._loop, self._settings, self._on_timeout = loop, settings, on_timeout
        self._wait: CpuWait | None = None
        self._waited_s = 0.0
        self._began_at = loop.clock()
        self.is_running = True
        """Whether it was not stopped."""
        self._timer = self._next_check()

    def watch(self, progress: Callable[[], Progress | None]) -> None:
        """Leave out from now on the time in which this process waits for the processor."""
        self._wait = CpuWait(self._loop.clock(), progress)

    def stop(self) -> None:
        """Call back no more. Safe to call again."""
        self.is_running = False
        self._timer.cancel()

    def _next_check(self) -> Timer:
        left_s = min(limit_s - spent_s for spent_s, limit_s in self._limits())
        return self._loop.timers.after(min(_SAMPLE_INTERVAL_S, max(0.0, left_s)), self._check)

    def _limits(self) -> Iterator[tuple[float, float]]:
        """Yield what is spent and the most of it: of the server's own time, and of all time."""
        passed_s = self._loop.clock() - self._began_at
        yield passed_s - self._waited_s, self._settings.load_timeout_s
        yield passed_s, self._settings.load_limit_s

    def _check(self) -> None:
        if self._wait is not None:
            self._waited_s += self._wait.take_s(self._loop.clock())
        for spent_s, limit_s in self._limits():
            if spent_s >= limit_s:
                self._on_timeout(limit_s)
                return
        self._timer = self._next_check()

"""CPU wait: how long a process has been ready to run, and did not run.

Invariant: only what the system says of the process counts. Without /proc that is nothing, so that
all time counts as the process's own.
"""

from collections.abc import Callable
from typing import Final

from cordyna_core.worker.processes import Progress

_STATES_OF_WAITING: Final = ("R", "D")
"""Runnable, or waiting for the disk, from which it is paged in."""


class CpuWait:
    """Samples of one process. `progress`: what it has done so far, if that is known."""

    def __init__(self, now: float, progress: Callable[[], Progress | None]) -> None:
        self._progress = progress
        self._sampled_at, self._cpu_s = now, 0.0

    def restart(self, now: float) -> None:
        """Measure from now on."""
        self._sampled_at = now
        progress = self._progress()
        self._cpu_s = progress.cpu_s if progress is not None else 0.0

    def skip(self, now: float) -> None:
        """Leave out the time since the last sample."""
        self._sampled_at = now

    def age_s(self, now: float) -> float:
        """Return how long ago the last sample was taken."""
        return now - self._sampled_at

    def take_s(self, now: float) -> float:
        """Return how long it has waited for the processor or the disk since the last sample."""
        passed_s, self._sampled_at = now - self._sampled_at, now
        progress = self._progress()
        if progress is None:
            return 0.0
        ran_s, self._cpu_s = progress.cpu_s - self._cpu_s, progress.cpu_s
        return max(0.0, passed_s - ran_s) if progress.state in _STATES_OF_WAITING else 0.0

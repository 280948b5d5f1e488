"""Housekeeping: what a driver does regularly while nothing else waits: sweep, prune, return space.

Invariant: intervals are monotonic; one step is short; and a failure of it is logged, not raised,
unless the home is locked.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from cerebro.adapters.sqlite.database import HomeLocked
from cerebro.core.model.plan import Plan
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import Home
from cerebro.handlers.sweep import BACKDATED_S, send_page_timers
from cerebro.ports import DamagedItem

_log = logging.getLogger("cordyna")

SWEEP_INTERVAL_S: Final = 60.0
PRUNE_INTERVAL_S: Final = 3600.0

RETENTION_S: Final = 30 * 24 * 3600.0
"""How long a run is kept after its end, as on AWS."""


class Housekeeping:
    """The regular work of one driver. `is_ours`: whether a run is resumed by this engine."""

    def __init__(self, home: Home, loop: MessageLoop, is_ours: Callable[[Plan], bool]) -> None:
        self._home, self._loop, self._is_ours = home, loop, is_ours
        now = time.monotonic()
        self._sweep_at = now + SWEEP_INTERVAL_S
        self._prune_at = now
        self._ended_before: float | None = None
        self._has_free_space = False

    def next_due_s(self) -> float:
        """Return seconds until `step` has something to do."""
        if self._ended_before is not None or self._has_free_space:
            return 0.0
        return max(0.0, min(self._sweep_at, self._prune_at) - time.monotonic())

    def prune(self, ended_before: float) -> None:
        """Begin to prune what ended before then (UTC seconds)."""
        self._ended_before = ended_before

    def step(self) -> None:
        """Do one short piece of what is due."""
        try:
            self._step(time.monotonic())
        except HomeLocked:
            raise
        except Exception:  # noqa: BLE001  it is logged
            # It is repeated at its next time; meanwhile everything else works.
            _log.exception("housekeeping failed")
            self._ended_before, self._has_free_space = None, False

    def _step(self, now: float) -> None:
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_INTERVAL_S
            self._sweep()
        elif now >= self._prune_at:
            self._prune_at = now + PRUNE_INTERVAL_S
            self.prune(self._loop.ports.clock() - RETENTION_S)
        elif self._ended_before is not None:
            if self._home.prune_step(self._ended_before).is_done:
                self._ended_before = None
                self._has_free_space = True
        elif self._has_free_space:
            self._has_free_space = self._home.give_back_step()

    def _sweep(self) -> None:
        ports = self._loop.ports
        due = ports.clock() - BACKDATED_S
        for run_id in self._home.store.active_runs():
            # A damaged run does not keep the others from being checked; `dyna doctor` names it.
            with suppress(DamagedItem):
                snapshot = self._home.store.read_run_snapshot(run_id)
                if snapshot is not None and self._is_ours(snapshot.plan):
                    send_page_timers(ports, run_id, len(snapshot.plan.pages), due)

"""Run follower: the views of a run while it runs, one after the other.

Invariant: the first view is made at once, and the last one shows the end or is made at the time
limit. Watching slows no run down: between two views passes many times what a view costs.
"""

import time
from collections.abc import Iterator
from typing import Final

from cerebro.core.views import run_view
from cerebro.embedded.run_views import RunViewReader
from cerebro.embedded.runtime.session import HomeSession
from cerebro.embedded.storage.home import Home
from cerebro.handlers import queries
from cordyna_core.contract.views.runs import RunView

VIEW_INTERVAL_S: Final = 0.1
"""A view of an active run is made at most this often."""

VIEW_TIME_SHARE: Final = 20
"""A view is made once in this many times the time that it takes."""

VIEW_INTERVAL_MAX_S: Final = 2.0
"""A reading of a whole large run takes long, but the next one takes only what has changed."""


class RunFollower:
    """Reads runs of a home, once or until they end."""

    def __init__(self, home: Home, session: HomeSession) -> None:
        self._home, self._session = home, session

    def read(self, run_id: str) -> RunView:
        """Return the run as it is now, read whole. Raises NotFound."""
        with self._session.read_transaction():
            stored = queries.read_all(self._home.store, run_id)
        # Outside the lock: the view of a large run takes longer than reading it.
        return run_view(*stored)

    def follow(self, run_id: str, timeout_s: float | None) -> Iterator[RunView]:
        """Yield the run again and again, until it is over or the time has passed."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        reader = RunViewReader(self._home, self._session, run_id)
        while True:
            turns, started_at = self._session.turns, time.monotonic()
            is_last = until is not None and started_at >= until
            # The last view is what is printed: it is read whole, even where nothing was announced.
            view = self.read(run_id) if is_last else reader.read()
            took_s = time.monotonic() - started_at
            yield view
            if view.is_final or is_last:
                return
            pause_s = min(max(VIEW_INTERVAL_S, VIEW_TIME_SHARE * took_s), VIEW_INTERVAL_MAX_S)
            self._wait_for_change(run_id, turns, until, pause_s)

    def _wait_for_change(
        self, run_id: str, turns: int, until: float | None, pause_s: float
    ) -> None:
        """Wait until the run is over, or something changed and `pause_s` have passed."""
        next_view_at = time.monotonic() + pause_s

        def is_due() -> bool | None:
            run = self._home.store.read_run(run_id)
            is_over = run is None or run.is_over
            is_changed = time.monotonic() >= next_view_at and self._session.turns != turns
            return is_over or is_changed or None

        self._session.wait_until(is_due, until)

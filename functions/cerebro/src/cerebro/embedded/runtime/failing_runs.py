"""Failing runs: ends a failing run as soon as nothing of it is live, without waiting for a timer.

Invariant: checking costs the same in any run while something of it is live.
"""

from cerebro.core.run.run_status import end_if_idle
from cerebro.embedded.storage.home import Home
from cerebro.shell import Ports, perform
from cordyna_core.contract.state_updates import RunStateChanged


class FailingRuns:
    """The active runs in which something failed permanently."""

    def __init__(self, home: Home, ports: Ports) -> None:
        self._home, self._ports = home, ports
        self._has_news: dict[str, bool] = {}
        self._opened: set[str] = set()
        """Runs that began, or were retried: whether they are failing is read when it is needed."""

    @property
    def has_news(self) -> bool:
        """Whether `end_idle` has anything to check."""
        return bool(self._opened) or any(self._has_news.values())

    def note_event(self, run_id: str | None) -> None:
        """An event of this run is processed: it may end the run."""
        if run_id in self._has_news:
            self._has_news[run_id] = True

    def note_state(self, changed: RunStateChanged) -> None:
        """Follow the state of a run, without reading the home."""
        match changed.state:
            case "failing":
                self._has_news[changed.run_id] = True
            case "running":
                # A retried run is still failing, and that is not published again.
                self._opened.add(changed.run_id)
            case _:
                self._opened.discard(changed.run_id)
                self._has_news.pop(changed.run_id, None)

    def watch_if_failing(self, run_id: str) -> None:
        """Watch an active run that an earlier engine marked as failing."""
        run = self._home.store.read_run(run_id)
        if run is not None and run.failing:
            self._has_news[run_id] = True

    def end_idle(self) -> None:
        """End the runs that have news and nothing live. For when no message waits."""
        for run_id in sorted(self._opened):
            self.watch_if_failing(run_id)
        self._opened.clear()
        for run_id in [run_id for run_id, has_news in self._has_news.items() if has_news]:
            self._has_news[run_id] = False
            if self._home.store.has_live_task(run_id):
                continue
            snapshot = self._home.store.read_run_snapshot(run_id)
            if snapshot is None:
                del self._has_news[run_id]
            else:
                perform(end_if_idle(snapshot, cause="quiet"), self._ports)

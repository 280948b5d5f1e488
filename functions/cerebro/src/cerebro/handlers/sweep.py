"""Sweep: periodically re-arm the timer of every page of every active run.

Invariant: a page timer is a hint, so sweeping too often costs money and changes nothing.
"""

from collections.abc import Callable

from cerebro.core.effects import PageTimer
from cerebro.core.model import Plan, RunSnapshot
from cerebro.shell import Ports

BACKDATED_S = 60.0
"""Back-dated so that clock skew cannot make a sweep timer look early."""


def sweep(
    ports: Ports,
    keep_going: Callable[[], bool] = lambda: True,
    is_ours: Callable[[Plan], bool] = lambda _: True,
) -> int:
    """Send a page timer for every page of every active run. Returns how many were sent.

    Skips runs once `keep_going` returns False (the time limit is near), and runs for which
    `is_ours` returns False (another engine serves them).
    """
    sent = 0
    due = ports.clock() - BACKDATED_S
    for run_id in ports.store.active_runs():
        snapshot = ports.store.read_run_snapshot(run_id)
        if snapshot is None or not keep_going() or not is_ours(snapshot.plan):
            continue
        sent += send_page_timers(ports, snapshot, due)
    return sent


def send_page_timers(ports: Ports, snapshot: RunSnapshot, due: float) -> int:
    """Send a page timer for every page of a run. Returns how many."""
    for page in snapshot.plan.pages:
        ports.timers.send_page_timer(PageTimer(snapshot.run.id, page, due))
    return len(snapshot.plan.pages)

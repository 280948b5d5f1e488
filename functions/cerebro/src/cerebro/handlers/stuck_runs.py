"""Stuck runs: active runs that no timer would ever check again. The sweep re-arms them.

Invariant: an active run has a live attempt, and the page of that attempt has a timer that is armed
or just due. A run without any is reported, and an alarm is raised.
"""

from typing import Final

from cerebro.ports import Store

GRACE_S: Final = 60.0
"""A timer may be this late, and a run this young, without being reported."""

TIMER_HORIZON_S: Final = 400 * 24 * 3600.0
"""Later than any deadline (a timeout is at most a year)."""


def stuck_runs(store: Store, now: float) -> list[str]:
    """The active runs without an armed timer on any page."""
    return [run_id for run_id in store.active_runs() if _is_stuck(store, run_id, now)]


def _is_stuck(store: Store, run_id: str, now: float) -> bool:
    run, snapshot = store.read_run(run_id), store.read_run_snapshot(run_id)
    if run is None or snapshot is None or run.is_over or now - run.created_at < GRACE_S:
        return False
    # The first page first: most runs are there.
    return not any(
        store.has_page_timer(run_id, page, now - GRACE_S, now + TIMER_HORIZON_S)
        for page in snapshot.plan.pages
    )

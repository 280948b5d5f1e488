"""Stuck: runs that nothing would ever wake again. There should be none; the sweep wakes them, and an alarm tells a person.

Law: a run that goes on has a live attempt, its page has a guardian, and that guardian has a ring to come or just now due.
"""

from typing import Final

from cerebro.ports import Store

GRACE_S: Final = 60.0
"""A ring may be this late, and a run this young, without anybody worrying."""

EVER_S: Final = 400 * 24 * 3600.0
"""Later than any clock (a clock of a task is at most a year)."""


def stuck_runs(store: Store, now: float) -> list[str]:
    """Those of the active runs that are not over and have no guardian on any page."""
    return [run_id for run_id in store.active_runs() if _is_stuck(store, run_id, now)]


def _is_stuck(store: Store, run_id: str, now: float) -> bool:
    run, snapshot = store.read_run(run_id), store.read_run_snapshot(run_id)
    if run is None or snapshot is None or run.is_over or now - run.created_at < GRACE_S:
        return False
    # The earliest page first: it is where a run mostly is.
    return not any(
        store.has_page_timer(run_id, page, now - GRACE_S, now + EVER_S)
        for page in snapshot.plan.pages
    )

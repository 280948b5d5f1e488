"""Sweeper: guards the guardians. Slowly and regularly, it rings every page of every run that is not over.

Law: a ring is a hint, so sweeping too often costs money and changes nothing.
"""

from collections.abc import Callable

from cerebro.core.effects import PageTimer
from cerebro.core.model import Plan
from cerebro.shell import Ports

BEHIND_S = 60.0
"""The sweep's rings say they were due this long ago, so that a guardian whose clock is behind does not call them early."""


def sweep(
    ports: Ports,
    keep_going: Callable[[], bool] = lambda: True,
    is_ours: Callable[[Plan], bool] = lambda _: True,
) -> int:
    """Ring every page of every active run; returns how many rings were sent.

    `keep_going` False: time is running out. `is_ours` False: the run is for another engine to go on with.
    """
    rung = 0
    due = ports.clock() - BEHIND_S
    for run_id in ports.store.active_runs():
        snapshot = ports.store.read_run_snapshot(run_id)
        if snapshot is None or not keep_going() or not is_ours(snapshot.plan):
            continue
        for page in snapshot.plan.pages:
            ports.timers.send_page_timer(PageTimer(run_id, page, due))
            rung += 1
    return rung

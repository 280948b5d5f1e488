"""Timeline: the lines that a server's update adds beside that of its state.

Invariant: a timeline never runs backwards. Its times are shown, and decide nothing.
"""

from dataclasses import replace
from typing import Final

from cerebro.core.model import Rank, TaskRun, TimelineEntry
from cordyna_core.contract.base import State
from cordyna_core.contract.state_updates import TaskStateChanged

END_STATES: Final = ("completed", "error")
"""The states of a server that end an attempt."""


def in_timeline_order(fact: TaskRun, sent_at: float, now: float) -> float:
    """Return the sender's time, limited to between the last entry and now: clocks differ."""
    last = fact.timeline[-1].at if fact.timeline else 0.0
    return max(last, min(sent_at, now))


def with_start(fact: TaskRun, update: TaskStateChanged, *, by: str, before: float) -> TaskRun:
    """Return the fact with the begin of the body that its end names, unless that is there already.

    A server may leave `started` out and name the time in the end of the attempt, which is at
    `before`. Only the timeline differs: the end is still to be applied.
    """
    assert update.started_at is not None
    if update.state not in END_STATES or fact.rank >= Rank.STARTED:
        return fact
    at = in_timeline_order(fact, update.started_at.timestamp(), before)
    start = TimelineEntry("started", None, at, by, fact.attempt)
    return replace(fact, timeline=(*fact.timeline, start))


def with_late_entry(
    fact: TaskRun, update: TaskStateChanged, state: State, *, by: str, sent_at: float, now: float
) -> TaskRun | None:
    """Return the fact with the end of an older attempt in its timeline; None if it is there."""
    is_known = any(
        entry.attempt == update.attempt and entry.state == state and entry.by == by
        for entry in fact.timeline
    )
    if is_known:
        return None
    at = in_timeline_order(fact, sent_at, now)
    late = TimelineEntry(state, "late", at, by, update.attempt)
    return replace(fact, timeline=(*fact.timeline, late), rev=fact.rev + 1)

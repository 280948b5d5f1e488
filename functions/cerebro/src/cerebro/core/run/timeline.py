"""Timeline: the lines that a server's update adds beside that of its state.

Invariant: a timeline never runs backwards, and fits into an item of every store, however many
attempts a task run has. Its times are shown, and decide nothing.
"""

from dataclasses import replace
from typing import Final

from cerebro.core.model.task_run import Rank, TaskRun, TimelineEntry
from cordyna_core.contract.base import State
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.views.run_end import LATE

END_STATES: Final = ("completed", "error")
"""The states of a server that end an attempt."""

ENTRIES_KEPT: Final = 400
"""A new attempt keeps so many lines of those before it: more than all retries by itself have."""

ENTRIES_MAX: Final = 2 * ENTRIES_KEPT
"""Beyond this no end of an older attempt is added."""


def attempt_timeline(before: TaskRun | None, entry: TimelineEntry) -> tuple[TimelineEntry, ...]:
    """Return the timeline of an attempt that begins with `entry`."""
    return (*before.timeline[-ENTRIES_KEPT:], entry) if before else (entry,)


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
    """Return the fact with the end of an older attempt in its timeline.

    None if it is there, or the timeline is full.
    """
    is_known = any(
        entry.attempt == update.attempt and entry.state == state and entry.by == by
        for entry in fact.timeline
    )
    if is_known or len(fact.timeline) >= ENTRIES_MAX:
        return None
    at = in_timeline_order(fact, sent_at, now)
    late = TimelineEntry(state, LATE, at, by, update.attempt)
    return replace(fact, timeline=(*fact.timeline, late), rev=fact.rev + 1)

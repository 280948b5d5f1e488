"""Phases: how long a task run waited, was queued and ran, read off its timeline.

Invariant: only what the timeline says is shown; a task without entries has only waited.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final, Literal

from cordyna_core.contract.views.run_end import LATE, ending_lines
from cordyna_core.contract.views.runs import RunView, TaskView, TimelineEntryView

PhaseKind = Literal["waiting", "dispatched", "queued", "running", "retry_wait"]

_BEGINS: Final[dict[tuple[str, str | None], PhaseKind]] = {
    ("pending", "dispatched"): "dispatched",
    ("pending", "retry_wait"): "retry_wait",
    ("queued", None): "queued",
    ("started", None): "running",
}


@dataclass(frozen=True, slots=True)
class Phase:
    """From `begin` to `end` the task run was in this phase."""

    kind: PhaseKind
    begin: datetime
    end: datetime


def phases_of(task: TaskView, begin: datetime, end: datetime) -> list[Phase]:
    """Return the phases in order of time.

    From `begin` of the run to the end of the task run, or to `end` while it is live. The end of an
    older attempt, which arrives meanwhile, ends no phase.
    """
    entries = [entry for entry in timeline_in_order(task) if entry.reason != LATE]
    if not entries:
        return [Phase("waiting", begin, end)] if task.state == "pending" else []
    phases = [Phase("waiting", begin, entries[0].at)] if entries[0].at > begin else []
    for entry, until in [(entry, following.at) for entry, following in pairwise(entries)] + [
        (entries[-1], max(end, entries[-1].at))
    ]:
        kind = _phase_kind(entry)
        if kind is not None:
            phases.append(Phase(kind, entry.at, until))
    return phases


def timeline_in_order(task: TaskView) -> list[TimelineEntryView]:
    """Return the timeline in order of time."""
    return sorted(task.timeline, key=lambda entry: entry.at)


def attempt_duration(task: TaskView, now: datetime) -> float | None:
    """Return seconds that the last attempt has been running, or ran.

    Of one that never started, since it was sent.

    None where there is nothing to measure.
    """
    begin = attempt_started_at(task)
    if begin is None or task.reason in ("retry_wait", "reused"):
        return None
    ended_at = {
        entry.state: entry.at
        for entry in reversed(_last_attempt(task))
        if entry.state in ("completed", "error")
    }
    # A completion after an error by a clock means that the body ran until it completed.
    end = ended_at.get("completed") or ended_at.get("error") or now
    return (end - begin).total_seconds()


def attempt_started_at(task: TaskView) -> datetime | None:
    """Return when the last attempt started; of one that never started, when it was sent.

    None: there is no attempt; a retry leaves a blocked task with an entry that it waits.
    """
    entries = [entry for entry in _last_attempt(task) if entry.reason != "waiting"]
    return next((entry.at for entry in entries if entry.state == "started"), None) or next(
        (entry.at for entry in entries), None
    )


def run_started_at(view: RunView) -> datetime | None:
    """Return when the run was created, or its first entry was made."""
    return view.created_at or min(_moments(view), default=None)


def run_ended_at(view: RunView, now: datetime) -> datetime:
    """Return when the last state of a run that is over was reached; else `now`."""
    if not view.is_final:
        return now
    ends = (line.at for task in view.tasks for line in ending_lines(timeline_in_order(task)))
    return max(ends, default=now)


def _last_attempt(task: TaskView) -> list[TimelineEntryView]:
    return [entry for entry in timeline_in_order(task) if entry.attempt == task.attempt]


def _moments(view: RunView) -> Iterator[datetime]:
    return (entry.at for task in view.tasks for entry in task.timeline)


def _phase_kind(entry: TimelineEntryView) -> PhaseKind | None:
    return _BEGINS.get((entry.state, entry.reason)) or _BEGINS.get((entry.state, None))

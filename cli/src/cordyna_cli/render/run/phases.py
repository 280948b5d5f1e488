"""Phases: how long a task run waited, was queued and ran, read off its timeline.

Law: what the timeline does not say is not made up: a task that nobody heard of has only waited.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final, Literal

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
    """In order of time, from the beginning of the run to the end of the task run, or to `end` while it goes on."""
    entries = said(task)
    if not entries:
        return [Phase("waiting", begin, end)] if task.state == "pending" else []
    found = [Phase("waiting", begin, entries[0].at)] if entries[0].at > begin else []
    for entry, until in [(one, other.at) for one, other in pairwise(entries)] + [
        (entries[-1], max(end, entries[-1].at))
    ]:
        kind = _kind(entry)
        if kind is not None:
            found.append(Phase(kind, entry.at, until))
    return found


def said(task: TaskView) -> list[TimelineEntryView]:
    """The timeline in order of time."""
    return sorted(task.timeline, key=lambda entry: entry.at)


def took(task: TaskView, now: datetime) -> float | None:
    """Seconds that the last attempt has been running, or ran; of one that never started, since it was sent. None: nothing to measure."""
    begun = began_its_attempt(task)
    if begun is None or task.reason in ("retry_wait", "reused"):
        return None
    final = {
        entry.state: entry.at
        for entry in reversed(_of_its_attempt(task))
        if entry.state in ("completed", "error")
    }
    # What completed after an error by a clock went on until it completed.
    over = final.get("completed") or final.get("error") or now
    return (over - begun).total_seconds()


def began_its_attempt(task: TaskView) -> datetime | None:
    """When the last attempt started; of one that never started, when it was sent. None: there is none."""
    entries = _of_its_attempt(task)
    return next((entry.at for entry in entries if entry.state == "started"), None) or next(
        (entry.at for entry in entries), None
    )


def _of_its_attempt(task: TaskView) -> list[TimelineEntryView]:
    return [entry for entry in said(task) if entry.attempt == task.attempt]


def began(view: RunView) -> datetime | None:
    """When the run was created, or the first thing was said in it."""
    return view.created_at or min(_moments(view), default=None)


def ended(view: RunView, now: datetime) -> datetime:
    """When the last thing was said in a run that is over; else now."""
    return max(_moments(view), default=now) if view.is_final else now


def _moments(view: RunView) -> Iterator[datetime]:
    return (entry.at for task in view.tasks for entry in task.timeline)


def _kind(entry: TimelineEntryView) -> PhaseKind | None:
    return _BEGINS.get((entry.state, entry.reason)) or _BEGINS.get((entry.state, None))

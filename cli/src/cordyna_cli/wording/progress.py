"""Progress: how far a run is, in numbers."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cordyna_cli.wording.format import seconds_between
from cordyna_cli.wording.phases import run_ended_at, run_started_at
from cordyna_cli.wording.status_marks import mark_of
from cordyna_core.contract.reasons import Mark
from cordyna_core.contract.views.runs import RunView

_DONE: Final = ("completed", "reused")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """`counts` holds every mark that occurs with its number of tasks, the most urgent first."""

    done: int
    total: int
    counts: tuple[tuple[Mark, int], ...]
    elapsed_s: float | None

    @property
    def unfinished(self) -> tuple[tuple[Mark, int], ...]:
        """The counts of what has not completed."""
        return tuple((mark, count) for mark, count in self.counts if mark.word not in _DONE)


def run_progress(view: RunView, now: datetime) -> RunProgress:
    """Return the progress of a run at `now`."""
    counts = Counter(mark_of(task) for task in view.tasks)
    begin = run_started_at(view)
    return RunProgress(
        done=sum(count for mark, count in counts.items() if mark.word in _DONE),
        total=len(view.tasks),
        counts=tuple(sorted(counts.items(), key=lambda item: item[0].urgency)),
        elapsed_s=None if begin is None else seconds_between(begin, run_ended_at(view, now)),
    )

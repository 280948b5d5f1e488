"""Status marks: the sign, the word and the urgency of a task run and of a run.

A mark's `style` is a colour of a terminal with its weight; another face has its own colours.
"""

from typing import Final

from cordyna_core.contract.reasons import REASONS, Mark, reason_of
from cordyna_core.contract.views.runs import RunSummary, RunView, TaskView

TASK_MARKS: Final = tuple(dict.fromkeys(row.mark for row in REASONS))
"""Every mark that a task run can have."""

RUN_MARKS: Final = {
    "running": Mark(sign="●", style="bold blue", word="running", urgency=2),
    "failing": Mark(sign="✗", style="bold red", word="failing", urgency=1),
    "completed": Mark(sign="✓", style="bold green", word="completed", urgency=4),
    "error": Mark(sign="✗", style="bold red", word="error", urgency=0),
}
"""By the state of a run."""

CANCELLED_RUN_MARK: Final = Mark(sign="⊗", style="red", word="cancelled", urgency=3)

URGENCY: Final = {mark.word: mark.urgency for mark in TASK_MARKS}
"""By the word of a task's mark."""


def mark_of(task: TaskView) -> Mark:
    """Return the mark of a task run; a reason without a mark of its own looks like its state."""
    return reason_of(task.state, task.reason).mark


def run_mark(run: RunView | RunSummary) -> Mark:
    """Return the mark of a run; a cancelled run has its own, whatever its state."""
    return CANCELLED_RUN_MARK if run.cancelled else RUN_MARKS[run.state]

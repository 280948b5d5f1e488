"""Outcome: what waiting for a run ends with: its output, or the reason why there is no output."""

from typing import Any

from cordyna_core.contract.views.runs import RunView
from cordyna_core.errors import UserError


class RunFailed(UserError):
    """The run ended in error; `view` is its last state, with its root causes."""

    def __init__(self, view: RunView) -> None:
        verb = "was cancelled" if view.cancelled else "ended in error"
        super().__init__(
            f"run {view.run_id} of {view.task} {verb}.",
            why="\n".join(
                f"{cause.task} on {cause.server}: {cause.reason}" for cause in view.root_causes
            ),
            next=f"dyna why {view.run_id}",
        )
        self.view = view


class RunTimeout(UserError):
    """The run has not ended in time; it continues. `view` is its last state."""

    def __init__(self, view: RunView, timeout_s: float) -> None:
        super().__init__(
            f"run {view.run_id} of {view.task} has not ended after {timeout_s:g} s.",
            why="it continues",
            next="wait again, or cancel it",
        )
        self.view = view


def output_of(view: RunView) -> Any:
    """Return the output of the target. Raises RunFailed."""
    if view.state != "completed":
        raise RunFailed(view)
    return next(task.output for task in view.tasks if task.task == view.task)

"""Failures: the tasks of a run that failed by themselves, not because the run was cancelled."""

from collections.abc import Sequence

from cordyna_core.contract.base import RootCause
from cordyna_core.contract.views.runs import RunView


def failures(view: RunView) -> Sequence[RootCause]:
    """Return the root causes; of a cancelled run, only what failed before it was cancelled."""
    return [cause for cause in view.root_causes if not (view.cancelled and _is_cancelled(cause))]


def _is_cancelled(cause: RootCause) -> bool:
    return cause.reason == "cancelled"

"""Marks: how each state and reason looks, so that a glance tells them apart, also without colour."""

from dataclasses import dataclass
from typing import Final

from cordyna_core.contract.views.runs import TaskView


@dataclass(frozen=True, slots=True)
class StatusMark:
    """`urgency` sorts what a person on call looks for first to the front."""

    sign: str
    style: str
    word: str
    urgency: int


_MARKS: Final[dict[tuple[str, str | None], StatusMark]] = {
    ("pending", None): StatusMark("·", "dim", "waiting", 7),
    ("pending", "waiting"): StatusMark("·", "dim", "waiting", 7),
    ("pending", "blocked"): StatusMark("⊘", "magenta", "blocked", 5),
    ("pending", "dispatched"): StatusMark("→", "cyan", "dispatched", 3),
    ("pending", "retry_wait"): StatusMark("↻", "yellow", "retry wait", 1),
    ("queued", None): StatusMark("◔", "cyan", "queued", 4),
    ("started", None): StatusMark("●", "bold blue", "started", 2),
    ("completed", None): StatusMark("✓", "green", "completed", 8),
    ("completed", "reused"): StatusMark("≡", "green", "reused", 8),
    ("error", None): StatusMark("✗", "bold red", "error", 0),
    ("error", "cancelled"): StatusMark("⊗", "red", "cancelled", 6),
}

URGENCY: Final = {mark.word: mark.urgency for mark in _MARKS.values()}

_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

RUN_STYLE: Final = {
    "running": "bold blue",
    "failing": "bold red",
    "completed": "bold green",
    "error": "bold red",
}
RUN_SIGN: Final = {"running": "●", "failing": "✗", "completed": "✓", "error": "✗"}


def mark_of(task: TaskView) -> StatusMark:
    """By state and reason; a reason without a mark of its own looks like its state."""
    return _MARKS.get((task.state, task.reason)) or _MARKS[(task.state, None)]


def spinning(seconds: float) -> str:
    """The sign of what runs, at a moment of a live view."""
    return _SPINNER[int(seconds * 10) % len(_SPINNER)]

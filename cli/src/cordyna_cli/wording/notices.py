"""Notices: in words, what both owners of an edge should know."""

from collections.abc import Sequence
from typing import Final

from cordyna_cli.wording.foreign_text import one_line
from cordyna_core.contract.notices import NoticeCode
from cordyna_core.contract.views.graph import TaskInfo

NOTICE_WORDS: Final[dict[NoticeCode, str]] = {
    "not_allowed": "not among the consumers",
    "breaks": "its output breaks it",
    "cannot_tell": "cannot tell whether its output suits",
    "deprecated": "to be moved away",
}
"""About a task that uses another, in a few words."""


def allowed_words(entries: Sequence[str] | None) -> str:
    """Return `all`, `its own server only`, or the entries."""
    if entries is None:
        return "all"
    return ", ".join(entries) or "its own server only"


def deprecated_words(info: TaskInfo) -> str:
    """Return `until 2027-03-01: use orders-v2`; empty for a task that is not deprecated."""
    if info.deprecated is None:
        return ""
    until = f"until {info.until}: " if info.until else ""
    return until + one_line(info.deprecated)

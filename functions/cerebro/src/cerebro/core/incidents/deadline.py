"""Deadline: until when the run of a cron's tick has to be completed, and whether that was decided.

Invariant: a deadline is decided once: by the timer that was armed when its tick fired, whatever
became of its run (docs/rules.md, rule 20).
"""

from typing import Literal

from cordyna_core.contract.frozen import fast_dataclass


@fast_dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """`due` of the task that has a tick at `nominal` (UTC seconds).

    Fields:
        before: the nominal time of the tick before, whose run gives the usual durations.
        outcome: None until the timer has fired.
    """

    task: str
    nominal: float
    due: float
    before: float | None = None
    outcome: Literal["met", "missed"] | None = None
    version: int = 1

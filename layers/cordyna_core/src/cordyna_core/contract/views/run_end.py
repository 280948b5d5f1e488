"""Run end: which lines of a timeline may be the end of a run.

Invariant: what changes no state ends nothing. That is the end of an older attempt, and what a
server says of an attempt that had failed already: its body took until it was killed.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol, TypeVar

from cordyna_core.contract.base import State
from cordyna_core.contract.ids import CEREBRO

LATE: Final = "late"
"""The reason of a line about the end of an older attempt."""


class TimelineLine(Protocol):
    """A line of a timeline, as it is stored or as it is shown."""

    @property
    def state(self) -> State: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def by(self) -> str: ...
    @property
    def attempt(self) -> int: ...


LineT = TypeVar("LineT", bound=TimelineLine)


def ending_lines(lines: Iterable[LineT]) -> Iterator[LineT]:
    """Yield those of the lines of a task run, in order of time, that its run may have ended at."""
    before: tuple[State, int] | None = None
    for line in lines:
        if line.reason == LATE:
            continue
        was_failed = before == ("error", line.attempt)
        if not (was_failed and line.state == "error" and line.by != CEREBRO):
            yield line
        before = line.state, line.attempt

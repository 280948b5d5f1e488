"""Trace: what happened in a world, line by line.

Invariant: the same seed gives the same trace, and so the same hash.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from cerebro.core import effects
from cerebro.core.model.task_run import Rank

LINES_MAX: Final = 40
"""Lines shown of what led to a broken invariant."""


class TraceLine(NamedTuple):
    """One thing that happened: seconds since the world began, who did what, and to which run."""

    at: float
    who: str
    what: str
    about: str
    run: str


class Trace:
    """The lines so far."""

    def __init__(self) -> None:
        self.lines: list[TraceLine] = []

    def add(self, at: float, who: str, what: str, about: str = "", run: str = "") -> None:
        self.lines.append(TraceLine(at, who, what, about, run))

    def hash(self) -> str:
        """16 hexadecimal digits of a hash of all lines."""
        digest = hashlib.sha256()
        for line in self.lines:
            digest.update(repr(tuple(line)).encode())
        return digest.hexdigest()[:16]

    def leading_to(self, run: str, lines_max: int = LINES_MAX) -> list[TraceLine]:
        """Return the last lines about a run, and about no run in particular."""
        return [line for line in self.lines if line.run in ("", run) or not run][-lines_max:]


def table(lines: Iterable[TraceLine]) -> Iterator[str]:
    """Yield the lines in columns: time, who, what, the end of the run's id, about."""
    shown = list(lines)
    who_columns = max((len(line.who) for line in shown), default=3)
    what_columns = max((len(line.what) for line in shown), default=4)
    for time, line in [
        ("time", TraceLine(0, "who", "what", "about", "run")),
        *((_clock(line.at), line) for line in shown),
    ]:
        who, what = line.who.ljust(who_columns), line.what.ljust(what_columns)
        yield f"{time:>12}  {who}  {what}  {line.run[-4:]:<4}  {line.about}".rstrip()


def _clock(at: float) -> str:
    days, rest = divmod(at, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    day = f"{int(days)}d " if days else ""
    return f"{day}{int(hours):02}:{int(minutes):02}:{seconds:06.3f}"


def summary(effect: Any) -> str:
    """Return an effect in a few words, for the trace."""
    match effect:
        case effects.WriteTask(_, index, new, _):
            rank = Rank(new.rank).name.lower()
            return f"task {index}: attempt {new.attempt} {rank} {new.reason or ''}".rstrip()
        case effects.WriteRun(new, _):
            return f"{new.status}{' failing' if new.failing else ''} rev {new.rev}"
        case effects.SendPageTimer(timer):
            return f"page {timer.page}"
        case effects.Publish(messages):
            return ", ".join(type(message).__name__ for message in messages)
    return ""

"""Problems: how a refusal speaks of many names, of foreign text and of near misses.

Law: a problem fits into an event, whatever was declared: lists are cut with a count, foreign text is quoted as JSON (so
it has no line breaks) and shortened.
"""

import difflib
import json
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from cordyna_core.contract.base import Problem

MAX_PROBLEMS: Final = 200
"""A refusal is an event of at most 1 MB; who has more problems than this has one problem many times."""

MAX_PATH: Final = 100
_LONGEST_TEXT: Final = 200
_NEAR_CANDIDATES: Final = 2000


def shortened(text: str, longest: int = _LONGEST_TEXT) -> str:
    """`text` on one line, cut in the middle."""
    line = " ".join(text.split())
    half = longest // 2
    return line if len(line) <= longest else f"{line[:half]} ... {line[-half:]}"


def quoted(text: str) -> str:
    """Foreign text as a JSON string, shortened."""
    return json.dumps(shortened(text))


def names_of(names: Sequence[str], most: int = 5) -> str:
    """`a, b, c`, and how many more."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def short_path(path: Sequence[str], most: int = MAX_PATH) -> list[str]:
    """A path whose middle is left out when it is long; both ends stay."""
    half = most // 2
    return list(path) if len(path) <= most else [*path[:half], "...", *path[-half:]]


def at_most(problems: Iterable[Problem], most: int = MAX_PROBLEMS) -> tuple[Problem, ...]:
    """The problems, the last one a count of those that were left out."""
    every = tuple(problems)
    left_out = len(every) - most
    if left_out <= 0:
        return every
    return (
        *every[:most],
        Problem(code="more", message=f"and {left_out:,} more problems of these kinds"),
    )


def near(name: str, names: Collection[str]) -> list[str]:
    """At most three of `names` that look like `name`, the nearest first."""
    alike = [other for other in names if abs(len(other) - len(name)) <= 2]
    if len(alike) > _NEAR_CANDIDATES:
        # difflib takes 10 us a pair: among 200,000 names only those that begin alike are looked at.
        alike = [other for other in alike if other[:3].casefold() == name[:3].casefold()][
            :_NEAR_CANDIDATES
        ]
    return difflib.get_close_matches(name, alike, n=3, cutoff=0.7)

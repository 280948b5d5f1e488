"""Problems: how a refusal shows many names, foreign text and near misses.

Invariant: a problem fits into an event, whatever was declared: lists are cut with a count, foreign
text is quoted as JSON (so it has no line breaks) and shortened.
"""

import difflib
import json
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from cordyna_core.contract.base import Problem

MAX_PROBLEMS: Final = 200
"""A refusal is an event of at most 1 MB; more problems than this are repetitions of one."""

MAX_PATH: Final = 100
_LONGEST_TEXT: Final = 200
_NEAR_CANDIDATES: Final = 2000


def shortened(text: str, longest: int = _LONGEST_TEXT) -> str:
    """Return `text` on one line, cut in the middle."""
    line = " ".join(text.split())
    half = longest // 2
    return line if len(line) <= longest else f"{line[:half]} ... {line[-half:]}"


def quoted(text: str) -> str:
    """Return foreign text as a JSON string, shortened."""
    return json.dumps(shortened(text))


def names_of(names: Sequence[str], most: int = 5) -> str:
    """Return `a, b, c`, and how many more."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def short_path(path: Sequence[str], most: int = MAX_PATH) -> list[str]:
    """Return a path; the middle of a long one is left out."""
    half = most // 2
    return list(path) if len(path) <= most else [*path[:half], "...", *path[-half:]]


def at_most(problems: Iterable[Problem], most: int = MAX_PROBLEMS) -> tuple[Problem, ...]:
    """Return at most `most` problems, and a last one with the count of the others."""
    listed = tuple(problems)
    left_out = len(listed) - most
    if left_out <= 0:
        return listed
    return (
        *listed[:most],
        Problem(code="more", message=f"and {left_out:,} more problems of these kinds"),
    )


def near(name: str, names: Collection[str]) -> list[str]:
    """Return at most three of `names` that resemble `name`, the nearest first."""
    alike = [other for other in names if abs(len(other) - len(name)) <= 2]
    if len(alike) > _NEAR_CANDIDATES:
        # difflib takes 10 us a pair: of 200,000 names, only those with the same beginning are
        # compared.
        alike = [other for other in alike if other[:3].casefold() == name[:3].casefold()][
            :_NEAR_CANDIDATES
        ]
    return difflib.get_close_matches(name, alike, n=3, cutoff=0.7)

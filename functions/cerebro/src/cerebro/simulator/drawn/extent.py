"""Extent: how much there is in a world: servers, tasks, runs, commands.

Invariant: nothing that can happen is left to the large worlds. Most worlds are small, because a
second of them shows more than a second of large ones; what needs many tasks or runs has the others.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

Emphasis = Literal["none", "reuse", "reruns", "teams"]
"""What a world is mostly about."""
EMPHASES: Final[tuple[Emphasis, ...]] = get_args(Emphasis)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The numbers that a world draws from: each of a tuple is equally likely.

    `runs` are those beside the emphasized ones; `emphasized` is how many times what is emphasized
    happens; `snoozed` is of how many tasks the failures are snoozed, at most.
    """

    servers: tuple[int, ...]
    tasks: dict[Emphasis, tuple[int, ...]]
    runs: dict[Emphasis, tuple[int, ...]]
    emphasized: dict[Emphasis, tuple[int, ...]]
    snoozed: int


SMALL: Final = Extent(
    servers=(1, 2, 2, 3),
    tasks={
        "none": (1, 1, 2, 2, 3),
        "reuse": (3, 3, 4),
        "reruns": (1, 2, 3, 4),
        "teams": (3, 4, 5),
    },
    runs={"none": (1, 1, 1, 1, 1, 2), "reuse": (1,), "reruns": (1,), "teams": (1,)},
    emphasized={"none": (0,), "reuse": (1, 2), "reruns": (1, 2, 2), "teams": (2, 3, 4)},
    snoozed=1,
)
LARGE: Final = Extent(
    servers=(1, 2, 3, 3, 3, 3, 3, 4),
    tasks=dict.fromkeys(EMPHASES, (3, 4, 5, 6, 7)),
    runs={
        "none": (1, 1, 1, 2, 3),
        "reuse": (1,),
        "reruns": (1, 1, 1, 2),
        "teams": (1, 1, 2),
    },
    emphasized={
        "none": (0,),
        "reuse": (1, 2, 2, 3),
        "reruns": (2, 3, 4),
        "teams": (3, 4, 5, 6, 7, 8),
    },
    snoozed=7,
)

LARGE_RATE: Final = 0.02
"""The part of the worlds that are large."""

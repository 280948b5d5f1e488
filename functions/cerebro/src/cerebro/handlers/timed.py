"""Timed: cerebro's messages to itself, as text: rings, walks and ticks.

Law: they never pass the bus, so nobody else can say them.
"""

import json
from dataclasses import asdict
from typing import Final

from cerebro.core.effects import Ring, Tick, Walk

_KINDS: Final[dict[str, type[Ring | Walk | Tick]]] = {"ring": Ring, "walk": Walk, "tick": Tick}


def seal_timed(message: Ring | Walk | Tick) -> str:
    """`{"ring": {...}}`, `{"walk": {...}}` or `{"tick": {...}}`."""
    return json.dumps({type(message).__name__.lower(): asdict(message)}, separators=(",", ":"))


def open_timed(body: str) -> Ring | Walk | Tick | None:
    """The ring, walk or tick that `body` is; None when it is something else."""
    for name, kind in _KINDS.items():
        if body.startswith(f'{{"{name}":'):
            return kind(**json.loads(body)[name])
    return None

"""Timed: cerebro's messages to itself, as text: rings and walks.

Law: they never pass the bus, so nobody else can say them.
"""

import json
from dataclasses import asdict
from typing import Final

from cerebro.core.effects import Ring, Walk

_KINDS: Final[dict[str, type[Ring] | type[Walk]]] = {"ring": Ring, "walk": Walk}


def seal_timed(message: Ring | Walk) -> str:
    """`{"ring": {...}}` or `{"walk": {...}}`."""
    return json.dumps({type(message).__name__.lower(): asdict(message)}, separators=(",", ":"))


def open_timed(body: str) -> Ring | Walk | None:
    """The ring or walk that `body` is; None when it is something else."""
    for name, kind in _KINDS.items():
        if body.startswith(f'{{"{name}":'):
            return kind(**json.loads(body)[name])
    return None

"""Timed: cerebro's messages to itself, as text: rings, walks and ticks.

Law: they never pass the bus, so nobody else can say them.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from cerebro.core.effects import FanOut, PageTimer, Tick
from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import MalformedEvent

SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
"""What EventBridge Scheduler replaces by a tick's nominal time ("Adding context attributes"); an emulator may leave it as it is."""


KINDS: Final[dict[type, str]] = {PageTimer: "ring", FanOut: "walk", Tick: "tick"}
"""The kind of each internal message as it is stored. Fixed: messages of an older version may be under way."""


def encode_internal(message: PageTimer | FanOut | Tick) -> str:
    """`{"ring": {...}}`, `{"walk": {...}}` or `{"tick": {...}}`."""
    fields = {name: getattr(message, name) for name in message.__slots__}
    return json.dumps({KINDS[type(message)]: fields}, separators=(",", ":"))


def decode_internal(body: str, sent_at: float | None = None) -> PageTimer | FanOut | Tick | None:
    """The ring, walk or tick that `body` is; None when it is something else. `sent_at`: when its queue was given it.

    Raises:
        MalformedEvent: when it begins like one and is none.
    """
    for name, read in _READ.items():
        if body.startswith(f'{{"{name}":'):
            try:
                return read(json.loads(body)[name], sent_at)
            except (TypeError, ValueError, KeyError) as wrong:
                problem = Problem(code="malformed_event", message=f"this is no {name}: {wrong}")
                raise MalformedEvent([problem]) from wrong
    return None


def _tick(fields: dict[str, Any], sent_at: float | None) -> Tick:
    return Tick(fields["task"], _nominal(fields["nominal"], sent_at))


def _nominal(given: float | str, sent_at: float | None) -> float:
    if isinstance(given, int | float):
        return float(given)
    if given == SCHEDULED_TIME:
        if sent_at is None:
            raise ValueError(
                "its nominal time was not filled in, and nobody knows when it was sent"
            )
        # A cron fires at most once a minute, on the minute.
        return sent_at - sent_at % 60
    return datetime.fromisoformat(given).timestamp()


_READ: Final[dict[str, Callable[[dict[str, Any], float | None], PageTimer | FanOut | Tick]]] = {
    "ring": lambda fields, _: PageTimer(**fields),
    "walk": lambda fields, _: FanOut(**fields),
    "tick": _tick,
}

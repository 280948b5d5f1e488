"""Queued hold: how long a server with a work queue waits with `queued`, in case a body begins.

`queued` is optional: `started` and the end of an attempt imply it (docs/rules.md, rule 1). A body
that begins within the hold costs its server and cerebro one message less.

Invariant: `queued` is published LEFT_S before the clock that it stops, or at once.
"""

from typing import Final

from cordyna_core.contract.commands import RunTask

HOLD_S: Final = 3
"""A Lambda that is started for a command begins its body within two or three seconds."""

LEFT_S: Final = 5.0
"""Two clocks may differ by 2 s, an event takes less than one, and a delayed message two more."""


def queued_hold_s(command: RunTask, now: float) -> int:
    """Return for how many seconds `queued` of a command that arrives now is held; 0: not at all."""
    left_s = command.ack_by.timestamp() - now - LEFT_S
    return max(0, min(HOLD_S, int(left_s)))

"""Flaky store: a store that raises now and then, before it does what it is asked for.

Invariant: what raises has changed nothing, and no message but a cursed one fails so often that it
becomes a dead letter.
"""

from typing import Any, Final

from cerebro.simulator.parts.faults import FaultInjector
from cordyna_core.contract.ids import run_id_of
from cordyna_core.errors import ServiceError

CURSED_KEY: Final = "cursed"
"""A command for `t0` with this key always makes the store raise."""

_UNEXPECTED_MAX: Final = 2
"""A message that fails three times is a dead letter."""


class FlakyStore:
    """Raises, at this rate, for whatever is called, unless it `is_reliable`."""

    def __init__(self, store: Any, faults: FaultInjector, rate: float) -> None:
        self._store, self._faults, self._rate = store, faults, rate
        self._left = _UNEXPECTED_MAX
        self.is_reliable = True

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if self.is_reliable or not callable(method) or name.startswith("_"):
            return method

        def call(*arguments: Any, **named: Any) -> Any:
            if arguments and arguments[0] == run_id_of("t0", CURSED_KEY):
                raise ValueError("this run cannot be read")
            if self._left and self._faults.happens("unexpected exception", self._rate):
                self._left -= 1
                raise RuntimeError(f"{name} failed unexpectedly")
            if self._faults.happens("home failed", self._rate / 2):
                raise ServiceError("the disk is full.", next="free some space")
            return method(*arguments, **named)

        return call

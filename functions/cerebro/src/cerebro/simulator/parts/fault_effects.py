"""Fault effects: at which effects of a program a fault can happen.

Invariant: an answer is lost only of a write whose program can find out that it was its own.
"""

from collections.abc import Callable
from typing import Any, Final

from cerebro.core import effects
from cerebro.core.incidents import effects as incident_effects

_CONDITIONAL_WRITES: Final = (
    effects.WriteTask,
    effects.WriteRun,
    effects.WriteHead,
    incident_effects.WriteIncident,
    incident_effects.WriteDeadline,
)

_SUITED_EFFECTS: Final[dict[str, Callable[[Any], bool]]] = {
    "answer lost": lambda effect: type(effect) in _CONDITIONAL_WRITES,
    "partly published": lambda effect: type(effect) is effects.Publish and len(effect.messages) > 1,
}
"""One that is not listed can happen at any effect."""


def may_happen_at(effect: Any, fault: str) -> bool:
    is_suited = _SUITED_EFFECTS.get(fault)
    return is_suited is None or is_suited(effect)

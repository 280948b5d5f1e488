"""Effort: how many steps it may take to check the parameters of one invocation.

A schema is finite, but checking a value may not be cheap: two references to itself in an `anyOf`
double the work with each level of the value, and a list of a thousand choices multiplies it. So
every keyword that is checked costs steps, and a check that needs too many ends with a fault.

Invariant: no parameters, and no schema, keep cerebro busy for longer than EFFORT_MAX steps (a few
seconds), so one team's parameters do not delay the updates of another's tasks.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

from jsonschema.exceptions import ValidationError

EFFORT_MAX: Final = 300_000
"""128 KB of numbers in a list, each with three keywords, take 200,000 steps."""

REFERENCE_STEPS: Final = 20
"""Resolving a reference takes as long as this many other keywords."""

FAULT_STEPS: Final = 5
"""Describing a fault, also of a choice that does not fit, takes as long as this many keywords."""

CHOICES_PER_STEP: Final = 8
"""This many entries of a list of choices, or of an object, take as long as a keyword."""

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class EffortExceeded(Exception):
    """A check took too many steps."""


class Effort:
    """The steps that are left; one for each invocation."""

    def __init__(self, steps: int = EFFORT_MAX) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        """Raises EffortExceeded."""
        self._left -= steps
        if self._left < 0:
            raise EffortExceeded


CURRENT_EFFORT: Final[ContextVar[Effort]] = ContextVar("current_effort")
"""The effort of the check that is running: jsonschema hands nothing through to its keywords."""


def counted(keywords: Mapping[str, Keyword]) -> dict[str, Keyword]:
    """Return keywords that spend the current effort."""
    return {name: _counted(name, keyword) for name, keyword in keywords.items()}


def _counted(name: str, keyword: Keyword) -> Keyword:
    own = REFERENCE_STEPS if name in ("$ref", "$dynamicRef") else 1

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        entries = len(value) if isinstance(value, list | dict) else 0
        effort = CURRENT_EFFORT.get()
        effort.spend(own + entries // CHOICES_PER_STEP)
        for fault in keyword(validator, value, instance, schema) or ():
            effort.spend(FAULT_STEPS)
            yield fault

    return check

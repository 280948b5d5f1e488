"""FaultInjector: the one seeded source of randomness and of faults in a simulated world.

Invariant: every draw comes from one generator, so a seed decides everything. How many steps
pass before the next fault is drawn in advance, so that a step without a fault costs no draw.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from random import Random
from typing import Final, TypeVar

_T = TypeVar("_T")

STEP_FAULTS: Final = (
    "crash before",
    "crash after",
    "throttled",
    "answer lost",
    "partly published",
    "paused",
)
"""What happens to a handler at one of its effects."""

MESSAGE_FAULTS: Final = (
    "duplicated",
    "reordered",
    "delayed",
    "lost, redelivered",
    "lost for good",
    "dead-lettered",
)
"""What happens to a message on its way."""

TIMER_FAULTS: Final = ("timer early", "timer late", "timer twice")
ADVERSARY_FAULTS: Final = ("poison", "oversize", "forged")
SERVER_FAULTS: Final = (
    "body failed",
    "server hung",
    "server slow",
    "server dead",
    "server lied",
    "answered twice",
)
ENGINE_FAULTS: Final = (
    "unexpected exception",
    "home failed",
    "wall clock set",
    "engine restarted",
)
"""What happens to the embedded engine."""

FAULTS: Final = (
    *STEP_FAULTS,
    *MESSAGE_FAULTS,
    *TIMER_FAULTS,
    *ADVERSARY_FAULTS,
    *SERVER_FAULTS,
    *ENGINE_FAULTS,
    "clock skewed",
)
"""Every kind of fault."""

NEVER: Final = 1 << 60

DELAY_MAX_S: Final = 86_400.0
_PAUSES_S: Final = (2.0, 15.0, 90.0, 300.0, 1900.0, 7200.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How many faults a world has: rates per effect, per message and per timer.

    Any clock differs from the true time by at most `skew_s`.
    """

    steps: float = 0.0
    messages: float = 0.0
    timers: float = 0.0
    skew_s: float = 0.0
    step_faults: tuple[str, ...] = STEP_FAULTS
    message_faults: tuple[str, ...] = MESSAGE_FAULTS


NO_FAULTS: Final = FaultRates()


class FaultInjector:
    """Draws random numbers, decides which faults happen, and counts them in `injected`."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.draw = self._random.random
        self._bits = self._random.getrandbits
        self.sample = self._random.sample
        self.injected: Counter[str] = Counter()
        self.rates = NO_FAULTS
        self.steps_left = self.messages_left = NEVER

    def start(self, rates: FaultRates) -> None:
        """Inject faults at these rates from now on."""
        self.rates = rates
        self.steps_left = self.steps_until_fault(rates.steps)
        self.messages_left = self.steps_until_fault(rates.messages)
        if rates.skew_s:
            self.injected["clock skewed"] += 1

    def stop(self) -> None:
        """Inject nothing from now on."""
        self.start(NO_FAULTS)

    def steps_until_fault(self, rate: float) -> int:
        """Draw how many steps it takes until the next fault."""
        return NEVER if rate <= 0 else 1 + int(log(1.0 - self.draw()) / log(1.0 - rate))

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self.draw()

    def choice(self, options: Sequence[_T]) -> _T:
        """Return one of `options`, each equally likely."""
        # As `random.choice` does it, without what it does for other generators.
        count = len(options)
        bits = count.bit_length()
        chosen = self._bits(bits)
        while chosen >= count > 0:
            chosen = self._bits(bits)
        return options[chosen]

    def integer(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return low + int((high - low + 1) * self.draw())

    def chance(self, rate: float) -> bool:
        return rate > 0 and self.draw() < rate

    def happens(self, fault: str, rate: float) -> bool:
        """Return whether this fault happens now; if so, it is counted."""
        hit = rate > 0 and self.draw() < rate
        if hit:
            self.injected[fault] += 1
        return hit

    def skew_s(self) -> float:
        """By how much a clock is wrong: most often by as much as it may be."""
        most = self.rates.skew_s
        return self.choice((-most, 0.0, most)) if most else 0.0

    def pause_s(self) -> float:
        """For how long a handler is paused: most often seconds, sometimes hours."""
        return self.choice(_PAUSES_S) * self.uniform(0.5, 1.0)

    def delay_s(self) -> float:
        """Return how long a message is delayed: most often minutes, at most a day."""
        return float(DELAY_MAX_S * self.draw() ** 4)

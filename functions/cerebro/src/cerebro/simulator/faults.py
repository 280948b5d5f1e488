"""Luck: the one seeded source of bad luck in a simulated world.

Law: every draw comes from one generator, so a seed decides everything. A fault strikes after a number of steps that was
drawn beforehand, so that a step without a fault costs no draw.
"""

from collections import Counter
from dataclasses import dataclass
from math import log
from random import Random
from typing import Final

STEP_FAULTS: Final = (
    "crash before",
    "crash after",
    "throttled",
    "answer lost",
    "partly published",
    "paused",
)
"""What strikes a handler at one of its effects."""

MESSAGE_FAULTS: Final = (
    "duplicated",
    "reordered",
    "delayed",
    "lost, redelivered",
    "lost for good",
    "dead-lettered",
)
"""What strikes a message on its way."""

RING_FAULTS: Final = ("ring early", "ring late", "ring twice")
INTRUSIONS: Final = ("poison", "oversize", "forged")
SERVER_FAULTS: Final = (
    "body failed",
    "server hung",
    "server slow",
    "server dead",
    "server lied",
    "answered twice",
)
FAULTS: Final = (
    *STEP_FAULTS,
    *MESSAGE_FAULTS,
    *RING_FAULTS,
    *INTRUSIONS,
    *SERVER_FAULTS,
    "clock skewed",
)
"""Every kind of fault there is."""

NEVER: Final = 1 << 60

_PAUSES_S: Final = (2.0, 15.0, 90.0, 300.0, 1900.0, 7200.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How much bad luck a world has: rates per effect, per message, per ring; clocks differ by at most `skew_s`."""

    steps: float = 0.0
    messages: float = 0.0
    rings: float = 0.0
    skew_s: float = 0.0
    step_faults: tuple[str, ...] = STEP_FAULTS
    message_faults: tuple[str, ...] = MESSAGE_FAULTS


NO_FAULTS: Final = FaultRates()


class FaultInjector:
    """Draws, and counts what struck."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.draw = self._random.random
        self.choice = self._random.choice
        self.sample = self._random.sample
        self.struck: Counter[str] = Counter()
        self.storm = NO_FAULTS
        self.steps_left = self.messages_left = NEVER

    def begin(self, storm: FaultRates) -> None:
        """From now on it storms."""
        self.storm = storm
        self.steps_left = self.gap(storm.steps)
        self.messages_left = self.gap(storm.messages)
        if storm.skew_s:
            self.struck["clock skewed"] += 1

    def calm(self) -> None:
        """From now on nothing strikes any more."""
        self.begin(NO_FAULTS)

    def gap(self, rate: float) -> int:
        """After how many steps the next fault strikes."""
        return NEVER if rate <= 0 else 1 + int(log(1.0 - self.draw()) / log(1.0 - rate))

    def between(self, least: float, most: float) -> float:
        return least + (most - least) * self.draw()

    def whole(self, least: int, most: int) -> int:
        """From `least` to `most`, both included."""
        return least + int((most - least + 1) * self.draw())

    def chance(self, rate: float) -> bool:
        return rate > 0 and self.draw() < rate

    def strikes(self, fault: str, rate: float) -> bool:
        """Whether this fault strikes now; then it is counted."""
        hit = rate > 0 and self.draw() < rate
        if hit:
            self.struck[fault] += 1
        return hit

    def skew(self) -> float:
        """By how much a clock is wrong: as much as it may be, mostly."""
        most = self.storm.skew_s
        return self.choice((-most, 0.0, most)) if most else 0.0

    def pause_s(self) -> float:
        """For how long a handler sleeps: seconds mostly, hours sometimes."""
        return self.choice(_PAUSES_S) * self.between(0.5, 1.0)

    def delay_s(self) -> float:
        """How long a message is held up: minutes mostly, 24 hours at most."""
        return float(86_400.0 * self.draw() ** 4)

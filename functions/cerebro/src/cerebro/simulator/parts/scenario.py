"""Scenario: what a world is made of: servers, declarations, a script of commands, and fault rates.

Invariant: a scenario is complete before its world begins, so two worlds with one seed have the same
scenario.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from cerebro.simulator.parts.faults import FaultRates
from cerebro.simulator.parts.sizes import REAL, Sizes
from cordyna_core.contract.base import Message
from cordyna_core.contract.declaration import ServerDeclared

BEGIN: Final = 1_760_000_400.0
"""The first moment of every world: 09:00 UTC on a Thursday in October 2025."""

SafetyNets = Literal["both", "no repair", "no sweep", "neither"]
"""Which safety nets are in place. They hide bugs, so each is missing in a part of the worlds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerBehavior:
    """How a task server behaves.

    `concurrency` 0 is a Lambda, which runs any number of bodies at once; otherwise the server
    has that many workers, and reports `queued`. `fails`, `hangs`, `slow`, `twice` and `lies` are
    probabilities for each attempt; `dead` is from when to when it receives nothing, in seconds
    since the beginning; a body begins within `start_s` of its command and takes up to `body_s`.
    `started` waits for `started_after_s`, in case the body ends first; with a hold, `queued` waits,
    too, in case the body begins first.
    """

    concurrency: int = 0
    fails: float = 0.0
    hangs: float = 0.0
    slow: float = 0.0
    twice: float = 0.0
    lies: float = 0.0
    dead: tuple[float, float] = (0.0, 0.0)
    start_s: tuple[float, float] = (0.05, 2.0)
    body_s: float = 10.0
    started_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ScriptedMessage:
    """A message that is put on the bus `after` seconds."""

    after: float
    source: str
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How many batches of messages cerebro handles at once, for each of its queues.

    A new event source mapping runs five at once, and 300 more for every minute of backlog.
    """

    batches_at_first: int = 5
    batches_per_minute: float = 300.0
    batches_max: int = 1000
    shards: int = 8
    cold_start_s: tuple[float, float] = (0.3, 1.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A world before it begins.

    Faults stop after `faults_until_s` (0: never). `batch` is how many messages a handler takes at
    once. `sealed`: events travel as text, as on a real bus. `declares_itself`: the declarations are
    events, not the initial state. `capacity` None: as many handlers as messages. `unreadable` are
    texts that are put on the bus at a time, and that no handler can ever handle.
    """

    servers: dict[str, ServerBehavior]
    declared: tuple[ServerDeclared, ...]
    script: tuple[ScriptedMessage, ...]
    safety_nets: SafetyNets = "both"
    rates: FaultRates = field(default_factory=FaultRates)
    faults_until_s: float = 0.0
    sizes: Sizes = REAL
    batch: int = 1
    sealed: bool = False
    declares_itself: bool = False
    crons_until_s: float = 0.0
    capacity: Capacity | None = None
    unreadable: tuple[tuple[float, str], ...] = ()

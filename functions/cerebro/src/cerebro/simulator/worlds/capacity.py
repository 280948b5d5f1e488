"""Capacity: cerebro's handlers as AWS runs them, bounded, and its queues with what waits in them.

Theory of operation. Without capacity, a world has as many handlers as messages, and messages never
wait. With it, each of cerebro's four queues has an event source mapping:

    batches       a handler takes a batch of up to ten messages and works through it, one effect
                  after the other; each effect takes as long as its call to AWS (EFFECT_S)
    concurrency   few batches are handled at once at first (five), and more for every minute in
                  which messages wait (300 more), up to a limit
    cold starts   a handler that was not needed before starts slowly
    order         a queue has shards; a batch comes from the head of one of them, a longer one more
                  often, so that order is best effort
    age           how long a message waited before its handler began with it: in its queue, for the
                  start of its handler, and for the messages before it in its batch

A fan-out of a thousand tasks makes thousands of messages within a second. They wait, and while they
wait clocks run. `LoadPromises` says what must hold all the same (docs/rules.md, rule 17).

Invariant: a message is in exactly one shard, or in one batch, or with its network.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from cerebro.core import effects
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer
from cerebro.dispatch import handler_of
from cerebro.simulator.parts.faults import FaultInjector
from cerebro.simulator.parts.scenario import Capacity
from cerebro.simulator.worlds.handlers import SimulatedCerebro, SimulatedHandler
from cerebro.simulator.worlds.network import InFlightMessage, Network
from cordyna_core.contract.envelope import Envelope

_READ_S, _WRITE_S, _SEND_S, _PUT_EVENTS_S, _QUERY_S = 0.006, 0.008, 0.010, 0.020, 0.010

EFFECT_S: Final[dict[type, float]] = {
    type(None): 0.002,  # opening a message
    effects.ReadRun: _READ_S,
    effects.ReadRecentRun: _READ_S,
    effects.ReadTask: _READ_S,
    effects.ReadRecentTask: _READ_S,
    effects.ReadTasks: _READ_S,
    effects.ReadOutputs: _READ_S,
    effects.ReadCachedResult: _READ_S,
    effects.ReadTick: _READ_S,
    effects.ReadGraph: _READ_S,
    effects.HasPageTimer: _READ_S,
    effects.ReadPage: _QUERY_S,
    effects.WriteTask: _WRITE_S,
    effects.WriteRun: _WRITE_S,
    effects.WritePlan: _WRITE_S,
    effects.WriteOutput: _WRITE_S,
    effects.WriteHead: _WRITE_S,
    effects.WriteTick: _WRITE_S,
    effects.WriteDeclaration: _WRITE_S,
    effects.WriteCachedResult: _WRITE_S,
    effects.WritePageTimer: _WRITE_S,
    effects.SendPageTimer: _SEND_S,
    effects.SendFanOut: _SEND_S,
    effects.SendOverdueCheck: _SEND_S,
    effects.ApplyCrons: _SEND_S,
    effects.Publish: _PUT_EVENTS_S,
}
"""How long an effect takes, in seconds; one that is not listed takes none."""

SCALING_INTERVAL_S: Final = 1.0
BATCH_SIZE: Final = 10


class Queue:
    """One queue of cerebro with its event source mapping."""

    def __init__(self, name: str, capacity: Capacity, system: "BoundedHandlers") -> None:
        self.name = name
        self.oldest_age_s = 0.0
        """The longest that a message has waited here so far."""
        self.waiting = 0
        self._capacity, self._system = capacity, system
        self._shards: list[deque[InFlightMessage]] = [deque() for _ in range(capacity.shards)]
        self._limit = float(capacity.batches_at_first)
        self._running: set[SimulatedHandler] = set()
        self._warm = capacity.batches_at_first
        self._is_scaling = False

    def put(self, in_flight: InFlightMessage) -> None:
        """Add a message, and start a batch if one more may run."""
        shard = self._system.faults.choice(self._shards)
        in_flight.queued_at = self._system.network.now
        shard.append(in_flight)
        self.waiting += 1
        self.pump()

    def pump(self) -> None:
        """Start as many batches as may run."""
        while self.waiting and len(self._running) < int(self._limit):
            self._start_batch()
        if self.waiting and not self._is_scaling and self._limit < self._capacity.batches_max:
            self._is_scaling = True
            self._system.schedule(SCALING_INTERVAL_S, self._scale, None)

    def begun(self, in_flight: InFlightMessage) -> None:
        """A handler begins with a message."""
        self.oldest_age_s = max(self.oldest_age_s, self._system.network.now - in_flight.queued_at)

    def batch_ended(self, handler: SimulatedHandler) -> None:
        self._running.remove(handler)
        self.pump()

    @property
    def is_held_up(self) -> bool:
        """Whether messages wait because every handler that may run is paused."""
        is_full = len(self._running) >= int(self._capacity.batches_max)
        return self.waiting > 0 and is_full and all(one.is_paused for one in self._running)

    def _start_batch(self) -> None:
        system = self._system
        shard = self._draw_shard()
        messages: list[InFlightMessage] = []
        while shard and len(messages) < BATCH_SIZE:
            messages.append(shard.popleft())
        self.waiting -= len(messages)
        delay = system.faults.uniform(0.005, 0.03)
        batches = len(self._running) + 1
        if batches > self._warm:
            self._warm = batches
            delay += system.faults.uniform(*self._capacity.cold_start_s)
        handler = SimulatedHandler(messages, system.faults.skew_s())
        self._running.add(handler)
        handler.on_begin, handler.on_end = self.begun, partial(self.batch_ended, handler)
        system.schedule(delay, system.step, handler)

    def _draw_shard(self) -> deque[InFlightMessage]:
        """Any message is equally likely to be found first; its shard is taken from its head."""
        nth = int(self._system.faults.draw() * self.waiting)
        for shard in self._shards:
            if nth < len(shard):
                return shard
            nth -= len(shard)
        raise AssertionError("`waiting` is not the number of messages in the shards")

    def _scale(self, _: Any) -> None:
        self._is_scaling = False
        growth = self._capacity.batches_per_minute / 60 * SCALING_INTERVAL_S
        if self.waiting:
            self._limit = min(self._capacity.batches_max, self._limit + growth)
            self.pump()
        else:
            self._limit = max(self._capacity.batches_at_first, self._limit - growth)


class BoundedHandlers:
    """All queues of cerebro, and the handlers that take from them."""

    def __init__(
        self,
        capacity: Capacity,
        network: Network,
        faults: FaultInjector,
        cerebro: SimulatedCerebro,
    ) -> None:
        self.network, self.faults = network, faults
        self._cerebro = cerebro
        self.queues = {
            name: Queue(name, capacity, self)
            for name in ("registry", "planner", "tracker", "timekeeper")
        }
        cerebro.resume = self.step

    def ages_s(self) -> dict[str, float]:
        """Return the longest that a message has waited in each queue so far."""
        return {name: queue.oldest_age_s for name, queue in self.queues.items()}

    def are_held_up(self) -> bool:
        """Return whether the messages of a queue wait for handlers that are all paused."""
        return any(queue.is_held_up for queue in self.queues.values())

    def deliver(self, in_flight: InFlightMessage) -> None:
        """Put a message into its queue."""
        self.queues[_queue_of(in_flight.message)].put(in_flight)

    def schedule(self, delay: float, action: Callable[[Any], None], argument: Any) -> None:
        self.network.schedule(self.network.now + delay, action, argument)

    def step(self, handler: SimulatedHandler) -> None:
        """Perform one effect of a handler, and schedule its next one."""
        handler.effect = type(None)
        if self._cerebro.step(handler):
            takes = EFFECT_S.get(handler.effect, 0.0)
            self.schedule(takes * self.faults.uniform(0.7, 1.3), self.step, handler)
        elif not handler.is_paused:
            handler.on_end()


def _queue_of(message: Any) -> str:
    match message:
        case PageTimer():
            return "timekeeper"
        case FanOut() | OverdueCheck():
            return "tracker"
        case Envelope():
            name = handler_of(message.source, type(message.message).__name__)
            return name or "planner"
    return "planner"

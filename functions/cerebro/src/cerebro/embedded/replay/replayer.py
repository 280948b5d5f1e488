"""Replay: decides a recorded run once more, with the cerebro of today, and says where it goes differently.

Law: the plan is the recorded one, and so is all that came from outside, each at its time. Everything else is decided anew by
the real reactions on an empty store: what is sent, what is said, and which clocks run out, by rings in virtual time.

A ring is kept within two seconds. Whether it or an event of those seconds came first is luck, and both are right; there the
recorded order is followed: the ring comes first only if it decided nothing, or if what it decided was recorded first.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core.effects import (
    FanOut,
    PageTimer,
    Publish,
    SendFanOut,
    WriteOutput,
    WriteRun,
    WriteTask,
)
from cerebro.core.graph.graph import Graph
from cerebro.core.model import TaskRun
from cerebro.core.run import page_check
from cerebro.core.run.recovery import recover
from cerebro.core.run.run_status import end_if_idle
from cerebro.embedded.replay.divergence import divergences
from cerebro.embedded.replay.recording import (
    QUIET,
    Decided,
    EngineStarted,
    EventReceived,
    IdleCheck,
    Moment,
    Recording,
    TimerFired,
)
from cerebro.handlers import queries
from cerebro.handlers.receive import perform_one
from cerebro.shell import PERFORM, Ports, perform
from cordyna_core.contract.base import Message
from cordyna_core.contract.views.rehearsal import ReplayView
from cordyna_core.errors import Fatal

LATE_S: Final = 2.0
"""How much later than its due a ring may come."""

_ROUNDED_S: Final = 0.001
"""Times in events are rounded: a ring that is due this much later is due now."""

_DECISIONS: Final = (Publish, SendFanOut, WriteOutput, WriteRun, WriteTask)


def replay(recording: Recording) -> ReplayView:
    """Decide the whole run once more."""
    again = Replayer(recording)
    for moment in recording.moments:
        again.happen(moment)
    again.ring_until(recording.until - LATE_S)
    run = again.store.read_run(recording.run.id)
    assert run is not None
    return ReplayView(
        run_id=run.id,
        task=run.task,
        heard=sum(isinstance(moment, EventReceived) for moment in recording.moments),
        decided=len(recording.decided),
        divergences=divergences(recording, again.decided, run, again.facts, tolerance_s=LATE_S),
    )


class HomeInMemory(MemoryStore):
    """The store of an engine's home: that a ring was sent is remembered for as long as the engine lives that has the ring."""

    def forget_page_timers(self) -> None:
        self._guards.clear()


class Replayer:
    """Cerebro with one run on an empty store: its bus, its timers, and the time, which stands still between moments."""

    def __init__(self, recording: Recording) -> None:
        self.store = HomeInMemory()
        self.now = 0.0
        self._pinned = recording.snapshot
        self._told: dict[str, Decided] = {}
        self._rings: list[tuple[float, int, PageTimer]] = []
        self._walks: deque[FanOut] = deque()
        self._tickets = count()
        self._ports = Ports(
            store=self.store, bus=self, timers=self, crons=self, clock=lambda: self.now
        )
        self._plant(recording)

    def _plant(self, recording: Recording) -> None:
        # As it stood when its invocation had just been written: hearing that once more does what follows from it.
        first = next(moment for moment in recording.moments if isinstance(moment, EventReceived))
        run = replace(
            recording.run,
            status="running",
            failing=False,
            rev=0,
            version=1,
            commands=(),
            cause=first.envelope.id,
        )
        self.store.write_plan(recording.snapshot.plan)
        self.store.write_run(run, None)
        for (run_id, index), output in recording.reused.items():
            self.store.write_output(run_id, index, 1, output)

    @property
    def decided(self) -> Sequence[Decided]:
        """What was said, each once, in order."""
        return list(self._told.values())

    @property
    def facts(self) -> dict[int, TaskRun]:
        """How every task stands."""
        return queries.facts_of(self.store, self._pinned)

    def happen(self, moment: Moment) -> None:
        """Let a recorded moment come."""
        match moment:
            case EventReceived(at, envelope):
                self.ring_until(at - LATE_S)
                self._ring_where_nothing_is_decided(at + _ROUNDED_S)
                self.now = max(self.now, at)
                with suppress(
                    Fatal
                ):  # it was buried then, too, or that is seen by what was not decided
                    perform_one(envelope, self._ports)
            case TimerFired(at, told):
                self.ring_until(at + _ROUNDED_S)
                while told not in self._told and self._rings and self._rings[0][0] <= at + LATE_S:
                    self._ring()
            case IdleCheck(at):
                self.now = max(self.now, at)
                perform(end_if_idle(self._pinned, cause=QUIET), self._ports)
            case EngineStarted(at, servers):
                self._begin(at, servers)
        self._walk()

    def _begin(self, at: float, servers: frozenset[str]) -> None:
        self._rings.clear()
        self.store.forget_page_timers()
        self.now = max(self.now, at)
        is_served = all(task.is_join or task.server in servers for task in self._pinned.plan.tasks)
        if is_served and self._pinned.run.id in self.store.active_runs():
            perform(recover(self._pinned.run.id), self._ports)

    def ring_until(self, until: float) -> None:
        """Let every ring come that is due by then, each at its time."""
        while self._rings and self._rings[0][0] <= until:
            self._ring()

    def _ring(self) -> None:
        due, _, ring = heapq.heappop(self._rings)
        self.now = max(self.now, due)
        perform_one(ring, self._ports)
        self._walk()

    def _ring_where_nothing_is_decided(self, until: float) -> None:
        late = []
        while self._rings and self._rings[0][0] <= until:
            due, ticket, ring = heapq.heappop(self._rings)
            self.now = max(self.now, due)
            if not self._came_to_nothing(ring):
                late.append((due, ticket, ring))
        for each in late:
            heapq.heappush(self._rings, each)

    def _came_to_nothing(self, ring: PageTimer) -> bool:
        """Answer a ring up to its first decision, if there is one: a program may be stopped anywhere, and begun again later."""
        program, answer = page_check.on_page_timer(ring), None
        with suppress(StopIteration):
            while not isinstance(effect := program.send(answer), _DECISIONS):
                answer = PERFORM[type(effect)](self._ports, effect)
            program.close()
            return False
        return True

    def _walk(self) -> None:
        while self._walks:
            perform_one(self._walks.popleft(), self._ports)

    # CerebroBus
    def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            told = (message.meta.id if message.meta else None) or ""
            self._told.setdefault(told, Decided(self.now, told, message))

    # Timers
    def send_page_timer(self, ring: PageTimer) -> None:
        heapq.heappush(self._rings, (ring.due, next(self._tickets), ring))

    def send_fan_out(self, walk: FanOut) -> None:
        self._walks.append(walk)

    # Crons
    def apply(self, graph: Graph) -> None:
        """A run schedules nothing."""

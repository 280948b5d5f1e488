"""Reactions: a driver that performs cerebro's programs and can stop them after any effect."""

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core.effects import Program
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.notices import AnyIncidentTimer, IncidentNotice
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer
from cerebro.dispatch import is_observed
from cerebro.handlers.receive import program_of
from cerebro.handlers.sweep import sweep_shards
from cerebro.shell import PERFORM, Ports, perform
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import InvokeTask, RunTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CEREBRO, SCHEDULER
from cordyna_core.contract.time import utc
from world.world import NOON, Delivered

EFFECTS_MAX: Final = 100
"""No program of a small world has more effects."""


class Reactions:
    """Implements the driver of a world, and the ports of cerebro.

    Task servers do nothing by themselves.
    """

    def __init__(self) -> None:
        self.now = NOON
        self.store = MemoryStore()
        self.published: list[Message] = []
        self.graph = Graph.of({})
        self.pending_timers: list[tuple[float, int, PageTimer]] = []
        self.incident_timers: list[tuple[float, int, AnyIncidentTimer]] = []
        self.held: list[Any] | None = None
        """If a list: what the handler of incidents would receive, and does not."""
        self._to_itself: list[FanOut | OverdueCheck | IncidentNotice | Envelope] = []
        self._number = count(1)
        self.ports = Ports(
            store=self.store, bus=self, timers=self, crons=self, clock=lambda: self.now
        )

    # --- the ports ----------------------------------------------------------------------------
    def publish(self, messages: Sequence[Message]) -> None:
        self.published.extend(messages)
        self._to_itself += [
            Envelope(SCHEDULER, message, f"tick-{next(self._number)}", utc(self.now))
            for message in messages
            if isinstance(message, InvokeTask)
        ]
        observed = [
            Envelope(CEREBRO, message, message.meta.id, utc(self.now))
            for message in messages
            if is_observed(message) and message.meta is not None and message.meta.id is not None
        ]
        (self._to_itself if self.held is None else self.held).extend(observed)

    def send_page_timer(self, timer: PageTimer) -> None:
        heapq.heappush(self.pending_timers, (timer.due, next(self._number), timer))

    def send_fan_out(self, fan_out: FanOut) -> None:
        self._to_itself.append(fan_out)

    def send_overdue_check(self, check: OverdueCheck) -> None:
        self._to_itself.append(check)

    def send_incident_timer(self, timer: AnyIncidentTimer) -> None:
        heapq.heappush(self.incident_timers, (timer.due, next(self._number), timer))

    def send_incident_notice(self, notice: IncidentNotice) -> None:
        self._to_itself.append(notice)

    def apply(self, graph: Graph) -> None:
        self.graph = graph

    # --- the driver ---------------------------------------------------------------------------
    @property
    def commands(self) -> list[RunTask]:
        return [message for message in self.published if isinstance(message, RunTask)]

    def handle(self, message: Delivered) -> None:
        program = program_of(message)
        if program is not None:
            perform(program, self.ports)
        while self._to_itself:
            self.handle(self._to_itself.pop(0))

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while heap := self._next_due(until):
            due, _, timer = heapq.heappop(heap)
            self.now = max(self.now, due)
            self.handle(timer)
        self.now = until

    def _next_due(self, until: float) -> list[Any] | None:
        """The timers of the kind whose first one is due first; None: none is due until then."""
        heaps: list[list[Any]] = [self.pending_timers, self.incident_timers]
        due = [heap for heap in heaps if heap and heap[0][0] <= until]
        return min(due, key=lambda heap: heap[0][0], default=None)

    # --- what only this driver can do ---------------------------------------------------------
    @property
    def page_timers(self) -> list[PageTimer]:
        """The timers on their way, the first due first."""
        return [timer for _, _, timer in sorted(self.pending_timers, key=lambda entry: entry[0])]

    def sweep(self, keep_going: Callable[[], bool] = lambda: True) -> int:
        """Sweep as the Lambda does. Returns how many page timers were sent."""
        return sweep_shards(self.ports, self.store, [0], keep_going).page_timers

    def lose_page_timers(self) -> None:
        """Drop every timer that is on its way: the platform broke its promise."""
        self.pending_timers.clear()

    def begin(self, message: Delivered, *, effects: int) -> Callable[[int], int]:
        """Perform the first effects of the answer to a message, then pause.

        Returns a function that performs so many more, and returns how many there were.
        """
        program: Program | None = program_of(message)
        assert program is not None
        next_effect: list[Any] = []
        has_ended = False

        def resume(effects: int) -> int:
            nonlocal has_ended
            for done in range(effects):
                if has_ended:
                    return done
                try:
                    answer = (
                        PERFORM[type(next_effect[0])](self.ports, next_effect[0])
                        if next_effect
                        else None
                    )
                    next_effect[:] = [program.send(answer)]
                except StopIteration:
                    has_ended = True
                    return done
            return effects

        # The first `send` only starts the program: it performs no effect.
        resume(effects + 1 if effects else 0)
        return resume

    def crash(self, message: Delivered, *, after: int) -> int:
        """Begin with a message and crash after so many effects. Returns how many there were."""
        return min(after, self.begin(message, effects=0)(after + 1))

    def crash_once(self, message: Delivered, reached: Callable[[], bool]) -> None:
        """Begin with a message and crash, one effect later each time, until `reached` holds."""
        for after in range(1, EFFECTS_MAX):
            if reached():
                return
            self.crash(message, after=after)
        raise AssertionError(f"{message} never led there within {EFFECTS_MAX} effects")

"""Replay: decide a recorded run again with the present code, and report every difference.

The plan is the recorded one. So is every input (commands, servers' updates, engine starts), each at
its recorded time. Everything else is decided anew by the real programs on an empty store: commands,
state changes, and expired deadlines, by page timers in virtual time.

A page timer may fire up to two seconds after it is due. Whether the timer or an event of those
seconds came first was a matter of scheduling, and both orders are correct. The replay follows the
recorded order: a timer fires before the event if it decides nothing, or if its decision was
recorded first.

Invariant: the replay reads the home and writes only to its own store.
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
    Publish,
    SendFanOut,
    SendOverdueCheck,
    WriteOutput,
    WriteRun,
    WriteTask,
)
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.notices import AnyIncidentTimer, IncidentNotice
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer
from cerebro.core.model.task_run import TaskRun
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
from cordyna_core.contract.views.replay import ReplayView
from cordyna_core.errors import Fatal

LATE_S: Final = 2.0
"""A page timer may fire this much after it is due."""

_ROUNDED_S: Final = 0.001
"""Times in events are rounded: a timer that is due this much later counts as due."""

_DECISIONS: Final = (Publish, SendFanOut, SendOverdueCheck, WriteOutput, WriteRun, WriteTask)


def replay(recording: Recording) -> ReplayView:
    """Decide the whole run again and compare."""
    replayer = Replayer(recording)
    for moment in recording.moments:
        replayer.apply_moment(moment)
    replayer.fire_until(recording.until - LATE_S)
    run = replayer.store.read_run(recording.run.id)
    assert run is not None
    return ReplayView(
        run_id=run.id,
        task=run.task,
        heard=sum(isinstance(moment, EventReceived) for moment in recording.moments),
        decided=len(recording.decided),
        divergences=divergences(
            recording, replayer.decided, run, replayer.facts, tolerance_s=LATE_S
        ),
    )


class Replayer:
    """Cerebro with one run on an empty store; virtual time advances from moment to moment."""

    def __init__(self, recording: Recording) -> None:
        self.store = MemoryStore()
        self.now = 0.0
        self._snapshot = recording.snapshot
        self._published: dict[str, Decided] = {}
        self._timers: list[tuple[float, int, PageTimer]] = []
        self._to_itself: deque[FanOut | OverdueCheck] = deque()
        self._tie_breaks = count()
        self._ports = Ports(
            store=self.store, bus=self, timers=self, crons=self, clock=lambda: self.now
        )
        self._store_run(recording)

    def _store_run(self, recording: Recording) -> None:
        # As it was when its invocation had been written: processing that again does the rest.
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
        for (index, ref), output in recording.reused.items():
            self.store.write_output(run.id, index, ref, output)

    @property
    def decided(self) -> Sequence[Decided]:
        """The published messages, each once, in order."""
        return list(self._published.values())

    @property
    def facts(self) -> dict[int, TaskRun]:
        """The facts of all tasks."""
        return queries.facts_of(self.store, self._snapshot)

    def apply_moment(self, moment: Moment) -> None:
        """Advance to a recorded moment and process its input."""
        match moment:
            case EventReceived(at, envelope):
                self.fire_until(at - LATE_S)
                self._fire_those_that_decide_nothing(at + _ROUNDED_S)
                self.now = max(self.now, at)
                # Fatal: it became a dead letter then too, or its missing decisions show.
                with suppress(Fatal):
                    perform_one(envelope, self._ports)
            case TimerFired(at, message_id):
                self.fire_until(at + _ROUNDED_S)
                while (
                    message_id not in self._published
                    and self._timers
                    and self._timers[0][0] <= at + LATE_S
                ):
                    self._fire_next()
            case IdleCheck(at):
                self.now = max(self.now, at)
                perform(end_if_idle(self._snapshot, cause=QUIET), self._ports)
            case EngineStarted(at, servers):
                self._restart_engine(at, servers)
        self._perform_own_messages()

    def _restart_engine(self, at: float, servers: frozenset[str]) -> None:
        self._timers.clear()
        self.store.forget_page_timers()
        self.now = max(self.now, at)
        is_served = all(
            task.is_join or task.server in servers for task in self._snapshot.plan.tasks
        )
        if is_served and self._snapshot.run.id in self.store.active_runs():
            perform(recover(self._snapshot.run.id), self._ports)

    def fire_until(self, until: float) -> None:
        """Fire every page timer that is due by then, each at its time."""
        while self._timers and self._timers[0][0] <= until:
            self._fire_next()

    def _fire_next(self) -> None:
        self.now = max(self.now, self._timers[0][0])
        # All that are due, as a step of the message loop does; what they send comes after them.
        due = [entry for entry in self._timers if entry[0] <= self.now]
        for entry in sorted(due):
            self._timers.remove(entry)
            perform_one(entry[2], self._ports)
        heapq.heapify(self._timers)
        self._perform_own_messages()

    def _fire_those_that_decide_nothing(self, until: float) -> None:
        deciding = []
        while self._timers and self._timers[0][0] <= until:
            due, tie_break, timer = heapq.heappop(self._timers)
            self.now = max(self.now, due)
            if not self._is_noop(timer):
                deciding.append((due, tie_break, timer))
        for entry in deciding:
            heapq.heappush(self._timers, entry)

    def _is_noop(self, timer: PageTimer) -> bool:
        """Return whether a timer decides nothing. Runs it up to its first decision.

        That is safe because a program may be stopped anywhere and started again later.
        """
        program, answer = page_check.on_page_timer(timer), None
        with suppress(StopIteration):
            while not isinstance(effect := program.send(answer), _DECISIONS):
                answer = PERFORM[type(effect)](self._ports, effect)
            program.close()
            return False
        return True

    def _perform_own_messages(self) -> None:
        while self._to_itself:
            perform_one(self._to_itself.popleft(), self._ports)

    # CerebroBus
    def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            message_id = (message.meta.id if message.meta else None) or ""
            self._published.setdefault(message_id, Decided(self.now, message_id, message))

    # Timers
    def send_page_timer(self, timer: PageTimer) -> None:
        heapq.heappush(self._timers, (timer.due, next(self._tie_breaks), timer))

    def send_fan_out(self, fan_out: FanOut) -> None:
        self._to_itself.append(fan_out)

    def send_overdue_check(self, check: OverdueCheck) -> None:
        self._to_itself.append(check)

    def send_incident_timer(self, timer: AnyIncidentTimer) -> None:
        """Do nothing: no incident decides anything about a run."""

    def send_incident_notice(self, notice: IncidentNotice) -> None:
        """Do nothing: no incident decides anything about a run."""

    # Crons
    def apply(self, graph: Graph) -> None:
        """Do nothing: a run changes no schedule."""

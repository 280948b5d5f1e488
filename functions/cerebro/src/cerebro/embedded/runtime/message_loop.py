"""MessageLoop: carries messages between cerebro, its timers and its task servers, within one process.

Law: one step is one transaction of the home. What cerebro publishes leaves only after the transaction was kept, so a
crash never lets a server hear what cerebro does not know.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import count
from typing import Final, Protocol

from cerebro.core.cron.schedule import due_ticks, next_after
from cerebro.core.cron.ticks import missed_ticks
from cerebro.core.declaration.handlers import declare_exactly
from cerebro.core.effects import FanOut, PageTimer, Tick
from cerebro.core.graph.graph import Graph
from cerebro.core.run.invoke import invocation_key
from cerebro.core.run.recovery import recover
from cerebro.core.run.run_status import end_if_idle
from cerebro.embedded.storage.event_log import EventLog
from cerebro.handlers.receive import answer_malformed, open_delivery, perform_one
from cerebro.ports import Store
from cerebro.shell import Ports, perform
from cordyna_core.contract.base import Message, Problem
from cordyna_core.contract.commands import Command, InvokeTask, RunTask
from cordyna_core.contract.envelope import Envelope, MalformedEvent, open_envelope, seal
from cordyna_core.contract.ids import CEREBRO, SCHEDULER, derived_id, run_id_of
from cordyna_core.contract.state_updates import DeclarationRejected, RunStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.errors import Fatal
from cordyna_core.ports import Clock

BATCH: Final = 256
"""Messages per transaction: enough to share the cost of keeping it, few enough that a server waits for little."""


class Home(Protocol):
    """What outlives a step: facts and the event_log, kept together."""

    store: Store
    event_log: EventLog

    def transaction(self) -> AbstractContextManager[None]: ...


class MessageLoop:
    """Cerebro, its bus and its timers. Not for two threads at once.

    `to_server` hands a command's event to a task server's side; `on_event` sees everything that passed, after it was kept.
    """

    def __init__(
        self,
        home: Home,
        clock: Clock,
        *,
        to_server: Callable[[str, str], None],
        on_event: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._home, self._clock = home, clock
        self._to_server, self._on_event = to_server, on_event
        self._inbox: deque[str | FanOut | Tick] = deque()
        self._rings: list[tuple[float, int, PageTimer]] = []
        self._ticks: list[tuple[float, int, str]] = []
        self._crons: Graph = Graph.of({})
        self._tickets = count()
        self._leaving: list[tuple[Message, str]] = []
        self._failing: dict[str, bool] = {}
        self._news = False
        self.fires_crons = False
        self.ports = Ports(store=home.store, bus=self, timers=self, crons=self, clock=clock)

    # The bus, as anybody on it sees it.
    def put(self, event: str) -> None:
        """Put an event on the bus; any thread may."""
        self._inbox.append(event)

    # CerebroBus
    def publish(self, messages: Sequence[Message]) -> None:
        now = utc(self._clock())
        for message in messages:
            meta = message.meta
            source = SCHEDULER if isinstance(message, InvokeTask) else CEREBRO
            event = seal(
                message,
                source,
                meta.id if meta and meta.id else derived_id("event", next(self._tickets)),
                now,
            )
            if not isinstance(message, InvokeTask):  # a tick's invocation is noted when it is heard
                self._home.event_log.append(getattr(message, "run_id", None), event)
            self._leaving.append((message, event))

    # Timers
    def send_page_timer(self, ring: PageTimer) -> None:
        heapq.heappush(self._rings, (ring.due, next(self._tickets), ring))

    def send_fan_out(self, walk: FanOut) -> None:
        self._inbox.append(walk)

    # Crons
    def apply(self, graph: Graph) -> None:
        self._crons = graph
        now = self._clock()
        self._ticks = [
            (
                next_after(cron.task.cron or "", cron.task.timezone, now),
                next(self._tickets),
                cron.task.name,
            )
            for cron in graph.crons
        ]
        heapq.heapify(self._ticks)

    def start_crons(self) -> None:
        """Fire crons from now on. What came while nobody fired them is made up for, or told."""
        if self.fires_crons:
            return
        self.fires_crons = True
        now = self._clock()
        with self._home.transaction():
            for _, task in self._crons.crons:
                last = self._home.store.read_tick(task.name)
                if last is None:
                    continue
                ticks = due_ticks(task.cron or "", task.timezone, after=last, now=now)
                if ticks.missed:
                    self.publish([missed_ticks(task.name, ticks.missed, now=now)])
                if ticks.fires is not None:
                    self._inbox.append(Tick(task.name, ticks.fires))
        self.flush()

    def next_due(self) -> float | None:
        """When the next ring or tick is due; None when nothing is."""
        due = [
            heap[0][0] for heap in (self._rings, self._ticks if self.fires_crons else ()) if heap
        ]
        return min(due) if due else None

    def has_news(self) -> bool:
        """Whether cerebro has said something since this was last asked that somebody may wait for."""
        news, self._news = self._news, False
        return news

    @property
    def is_idle(self) -> bool:
        """Whether no message waits to be heard."""
        return not self._inbox

    def step(self, *, inbox: bool = False) -> bool:
        """Hear what waits and what is due, and with `inbox` what others put there. Returns whether there was anything.

        Raises:
            ServiceError: when the home fails; then nothing of this step was kept.
        """
        now = self._clock()
        messages: list[str | PageTimer | FanOut | Tick] = list(self._due(now))
        waiting = self._inbox
        while waiting and len(messages) < BATCH:
            messages.append(waiting.popleft())
        if not messages and not inbox:
            return False
        passed: list[str] = []
        with self._home.transaction():
            if inbox:
                messages.extend(self._home.event_log.drain_inbox())
            for message in messages:
                if isinstance(message, str):
                    passed.append(message)
                self._process(message, now)
        for event in passed:
            self._on_event(event)
        self.flush()
        return True

    def process_now(self, event: str) -> None:
        """Hear this one event, now, and nothing else."""
        with self._home.transaction():
            self._process(event, self._clock())
        self.flush()

    def publish_now(self, messages: Sequence[Message]) -> None:
        """Put messages on the bus as cerebro, now."""
        with self._home.transaction():
            self.publish(messages)
        self.flush()

    def resume_run(self, run_id: str, *, died: bool) -> None:
        """Go on with a run that another engine left, or (`died`) was killed over; `flush` lets its commands go."""
        with self._home.transaction():
            perform(recover(run_id, died=died), self.ports)
        self._watch_if_failing(run_id)

    def end_idle_failing_runs(self) -> None:
        """End what has nothing left to wait for. For when all is quiet: the guardian would come to it in a few seconds."""
        for run_id in [run_id for run_id, moved in self._failing.items() if moved]:
            self._failing[run_id] = False
            with self._home.transaction():
                snapshot = self._home.store.read_run_snapshot(run_id)
                if snapshot is not None:
                    perform(end_if_idle(snapshot, cause="quiet"), self.ports)
        self.flush()

    def declare(self, events: Sequence[str]) -> list[Problem]:
        """Declare exactly these servers, as one batch. Returns why they were rejected, nothing when they were accepted."""
        envelopes = [open_envelope(event) for event in events]
        with self._home.transaction():
            for event in events:
                self._home.event_log.append(None, event)
            perform(declare_exactly(envelopes), self.ports)
        problems = [
            problem
            for said, _ in self._leaving
            if isinstance(said, DeclarationRejected)
            for problem in said.problems
        ]
        self.flush()
        return problems

    def flush(self) -> None:
        """Let go what was published in transactions that have been kept."""
        leaving, self._leaving = self._leaving, []
        for sent, event in leaving:
            self._on_event(event)
            if isinstance(sent, RunStateChanged):
                self._note(sent)
            self._news = self._news or not isinstance(sent, RunTask)
            if isinstance(sent, InvokeTask):
                self._inbox.append(event)
            elif isinstance(sent, Command):
                self._to_server(getattr(sent, "server", "*"), event)

    def _note(self, changed: RunStateChanged) -> None:
        match changed.state:
            case "failing":
                self._failing[changed.run_id] = True
            case "running":
                # After a retry: that it is failing has been said before, and is not said again.
                self._watch_if_failing(changed.run_id)
            case _:
                self._failing.pop(changed.run_id, None)

    def _watch_if_failing(self, run_id: str) -> None:
        run = self._home.store.read_run(run_id)
        if run is not None and run.failing:
            self._failing[run_id] = True

    def _due(self, now: float) -> list[PageTimer | Tick]:
        found: list[PageTimer | Tick] = []
        while self._rings and self._rings[0][0] <= now:
            found.append(heapq.heappop(self._rings)[2])
        while self.fires_crons and self._ticks and self._ticks[0][0] <= now:
            nominal, _, name = heapq.heappop(self._ticks)
            found.append(Tick(name, nominal))
            task = self._crons[name].task
            heapq.heappush(
                self._ticks,
                (next_after(task.cron or "", task.timezone, nominal), next(self._tickets), name),
            )
        return found

    def _process(self, message: str | PageTimer | FanOut | Tick, now: float) -> None:
        try:
            opened = open_delivery(message) if isinstance(message, str) else message
        except MalformedEvent as never:
            self._home.event_log.append(None, str(message))
            self._home.event_log.add_dead_letter(str(message), str(never), now)
            answer_malformed(never, self.ports)
            return
        if isinstance(opened, Envelope) and isinstance(message, str):
            run_id = run_of(opened)
            self._home.event_log.append(run_id, message)
            if run_id in self._failing:
                self._failing[run_id] = True
        try:
            perform_one(opened, self.ports)
        except Fatal as never:
            self._home.event_log.add_dead_letter(str(message), str(never), now)


def run_of(envelope: Envelope) -> str | None:
    """The run that an event is about; an invocation names the run that it asks for."""
    message = envelope.message
    if isinstance(message, InvokeTask):
        return run_id_of(message.task, invocation_key(message, envelope))
    return getattr(message, "run_id", None)

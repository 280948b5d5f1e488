"""Message loop: carries messages between cerebro, its timers and its task servers in one process.

One step takes a batch of waiting messages and due timers, and processes it in one transaction of
the home. What cerebro publishes leaves after the commit, so that no server ever receives what a
crash could make cerebro forget.

What is done with one message is in item_handler. If that raises, the transaction is rolled back
and the batch is put back; what then becomes of the message is decided by failed_items. Errors of
the home itself (a full disk) are raised: they are no message's fault, and the batch is kept for the
next step.

Invariant: one message cannot stop the loop, and none is lost: it is processed, or a dead letter.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from cerebro.core.declaration.handlers import declare_exactly
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.notices import AnyIncidentTimer, IncidentNotice
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer, Tick
from cerebro.core.run.recovery import recover
from cerebro.embedded.runtime.clock_jump import JUMP_MIN_S, shift_deadlines
from cerebro.embedded.runtime.cron_ticks import CronTicks
from cerebro.embedded.runtime.failed_items import FailedItems, is_of_home
from cerebro.embedded.runtime.failing_runs import FailingRuns
from cerebro.embedded.runtime.incident_queue import IncidentQueue
from cerebro.embedded.runtime.item_handler import ItemHandler
from cerebro.embedded.runtime.loop_items import Item, shifted
from cerebro.embedded.runtime.timer_queue import TimerQueue
from cerebro.embedded.storage.home import Home
from cerebro.shell import Ports, perform
from cordyna_core.contract.base import Message, Problem
from cordyna_core.contract.commands import Command, InvokeTask, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope, open_envelope, seal
from cordyna_core.contract.ids import CEREBRO, SCHEDULER, content_id
from cordyna_core.contract.state_updates import DeclarationRejected, RunStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.ports import Clock

_log = logging.getLogger("cordyna")


class MessageLoop:
    """Cerebro, its bus and its timers. Not for two threads at once.

    `to_server` hands a command and its event to the command's task server; `on_event` sees every
    event after it was committed. `serves`: whether the crons of a server fire here.
    """

    def __init__(
        self,
        home: Home,
        clock: Clock,
        *,
        to_server: Callable[[Command, str], None],
        on_event: Callable[[str], None] = lambda _: None,
        serves: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._home, self._clock = home, clock
        self._to_server, self._on_event = to_server, on_event
        self._waiting: deque[Item] = deque()
        self._timers = TimerQueue(home)
        self._tie_breaks = count()
        self._leaving: list[tuple[Message, str]] = []
        self._committed: deque[tuple[Message, str]] = deque()
        self._has_news = False
        self._processing: Item | None = None
        self._failed = FailedItems()
        self.crons = CronTicks(serves)
        self.ports = Ports(store=home.store, bus=self, timers=self, crons=self, clock=clock)
        self._failing_runs = FailingRuns(home, self.ports)
        self._handler = ItemHandler(home, self.ports, self._failing_runs, self._failed)
        self._incidents = IncidentQueue(home)

    def put(self, event: str, envelope: Envelope | None = None) -> None:
        """Put an event on the bus. `envelope`: what it contains, if it has been read already."""
        if envelope is not None:
            self._handler.note_opened(event, envelope)
        self._waiting.append(event)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A transaction of the home. What is published in it leaves only if it is committed."""
        try:
            with self._home.transaction():
                yield
        except BaseException:
            self._leaving.clear()
            self._incidents.on_roll_back()
            raise
        for message, event in self._leaving:
            self._incidents.observe(message, event)
        self._incidents.on_commit()
        self._committed.extend(self._leaving)
        self._leaving.clear()

    # CerebroBus
    def publish(self, messages: Sequence[Message]) -> None:
        now = self._clock()
        for message in messages:
            meta = message.meta
            source = SCHEDULER if isinstance(message, InvokeTask) else CEREBRO
            event_id = meta.id if meta and meta.id else self._own_id(message, now)
            event = seal(message, source, event_id, utc(now))
            # A tick's invocation is appended when it is processed.
            if not isinstance(message, InvokeTask):
                self._home.event_log.append(getattr(message, "run_id", None), event, now)
            self._leaving.append((message, event))

    def _own_id(self, message: Message, now: float) -> str:
        """Return the id of a message that nothing caused: another one at each time, in any process.

        What counts messages knows them by their ids, also those of processes that have ended.
        """
        return content_id("event", message.model_dump_json(), str(now), next(self._tie_breaks))

    # Timers
    def send_page_timer(self, timer: PageTimer) -> None:
        self._timers.push(timer)

    def send_fan_out(self, fan_out: FanOut) -> None:
        self._waiting.append(fan_out)

    def send_overdue_check(self, check: OverdueCheck) -> None:
        self._waiting.append(check)

    def send_incident_timer(self, timer: AnyIncidentTimer) -> None:
        self._timers.push(timer)

    def send_incident_notice(self, notice: IncidentNotice) -> None:
        self._incidents.add(notice)

    # Crons
    def apply(self, graph: Graph) -> None:
        self.crons.apply(graph, self._clock())

    def start_crons(self) -> None:
        """Fire crons from now on. Ticks that passed unobserved fire late or are reported."""
        if not self.crons.is_started:
            self._catch_up_crons()

    def _catch_up_crons(self) -> None:
        with self._transaction():
            for passed in self.crons.start(self._clock(), self._home.store.read_tick):
                if isinstance(passed, Tick):
                    self._waiting.append(passed)
                else:
                    self.publish([passed])
        self.flush()

    def on_clock_jump(self, seconds: float) -> None:
        """The wall clock was set: keep every interval, and recompute what follows wall time."""
        self.flush()  # as it was published: a command names moments of the clock before
        with self._transaction():
            shift_deadlines(self._home.store, seconds)
            self._home.store.forget_after(self._clock() + JUMP_MIN_S)
            graph = self._home.store.read_graph()
        self._timers.shift(seconds)
        self._waiting = deque(shifted(item, seconds) for item in self._waiting)
        self.crons.apply(graph, self._clock())
        if self.crons.is_started:
            self._catch_up_crons()

    def next_due(self) -> float | None:
        """Return when the next timer or tick is due; None if none is armed."""
        tick_at, timer_at = self.crons.next_due(), self._timers.next_due()
        if tick_at is None or timer_at is None:
            return timer_at if tick_at is None else tick_at
        return min(tick_at, timer_at)

    def take_news(self) -> bool:
        """Return whether cerebro published what a client may wait for since the last call."""
        has_news, self._has_news = self._has_news, False
        return has_news

    @property
    def is_idle(self) -> bool:
        """Whether no message waits, and none that was committed is still to be delivered."""
        return not (self._waiting or self._committed or self._incidents)

    def step(self, *, inbox: bool = False) -> bool:
        """Process what waits and what is due, and with `inbox` events of other processes.

        Returns whether there was anything.

        Raises:
            ServiceError: the home fails. Nothing of this step was stored, and nothing is lost.
        """
        self.flush()  # what an error of the home has left
        now = self._clock()
        limit = self._failed.batch_max
        batch = self._take(now, limit)
        if not batch and not inbox:
            return False
        try:
            events = self._process_batch(batch, limit if inbox and len(batch) < limit else 0, now)
        except Exception as failure:
            item, self._processing = self._processing, None
            self._waiting.extendleft(reversed(batch))
            if item is None or is_of_home(failure):
                raise
            self._failed.note_failure(item, failure)
        else:
            for event in events:
                self._on_event(event)
            self.flush()
        return True

    def _take(self, now: float, limit: int) -> list[Item]:
        batch: list[Item] = []
        while len(batch) < limit and (timer := self._timers.pop_due(now)) is not None:
            batch.append(timer)
        while len(batch) < limit and (tick := self.crons.pop_due(now)) is not None:
            batch.append(tick)
        while len(batch) < limit and self._waiting:
            batch.append(self._waiting.popleft())
        return batch

    def _process_batch(self, batch: Sequence[Item], inbox_limit: int, now: float) -> list[str]:
        """Process the batch in one transaction. Returns the events of the bus that were in it."""
        self._processing = None
        with self._transaction():
            items = [*batch]
            if inbox_limit:
                items += self._home.event_log.drain_inbox(inbox_limit)
            for item in items:
                self._processing = item
                self._handler.handle(item, now)
            self._processing = None
        self._failed.note_processed(items)
        return [item for item in items if isinstance(item, str)]

    def process_now(self, event: str) -> None:
        """Process this one event now, before whatever waits."""
        with self._transaction():
            self._handler.handle(event, self._clock())
        self.flush()

    def publish_now(self, messages: Sequence[Message]) -> None:
        """Put messages on the bus as cerebro, now."""
        with self._transaction():
            self.publish(messages)
        self.flush()

    def take_notices(self, notices: Iterable[IncidentNotice]) -> None:
        """Handle notices now that the driver makes itself."""
        with self._transaction():
            for notice in notices:
                self._incidents.add(notice)
        self.flush()

    def resume_run(self, run_id: str) -> None:
        """Continue a run of an earlier engine; its commands leave with the next `flush`."""
        with self._transaction():
            perform(recover(run_id), self.ports)
        self._failing_runs.watch_if_failing(run_id)

    def end_idle_failing_runs(self) -> None:
        """End failing runs without anything live. For when no message waits."""
        if self._failing_runs.has_news:
            with self._transaction():
                self._failing_runs.end_idle()
            self.flush()

    def declare(self, events: Sequence[str], kept: Sequence[ServerDeclared] = ()) -> list[Problem]:
        """Declare exactly these servers, as one batch. Returns the problems if it is rejected.

        `kept`: accepted declarations of other servers, which stay.
        """
        now = self._clock()
        envelopes = [open_envelope(event) for event in events]
        with self._transaction():
            for event in events:
                self._home.event_log.append(None, event, now)
            perform(declare_exactly(envelopes, kept), self.ports)
            problems = [
                problem
                for message, _ in self._leaving
                if isinstance(message, DeclarationRejected)
                for problem in message.problems
            ]
        self.flush()
        return problems

    def flush(self) -> None:
        """Deliver what was published in committed transactions; after an error the rest stays.

        What needs an owner is recorded first, so that a client sees the end of a run with it.
        """
        while self._incidents:
            self._incidents.handle_next(self.ports, self._transaction)
        self._deliver_committed()

    def _deliver_committed(self) -> None:
        while self._committed:
            message, event = self._committed.popleft()
            self._on_event(event)
            if isinstance(message, RunStateChanged):
                self._failing_runs.note_state(message)
                self._timers.note_state(message)
            self._has_news = self._has_news or not isinstance(message, RunTask)
            if isinstance(message, InvokeTask):
                self._waiting.append(event)
            elif isinstance(message, Command):
                self._deliver(message, event)

    def _deliver(self, command: Command, event: str) -> None:
        try:
            self._to_server(command, event)
        except Exception as failure:  # noqa: BLE001  it is logged and kept
            # The attempt ends by its acknowledgement clock; the reason is kept here.
            reason = f"not delivered to its server: {type(failure).__name__}: {failure}"
            _log.warning("a command was %s", reason)
            with self._home.transaction():
                self._home.event_log.add_dead_letter(event, reason, self._clock())

"""Network: everything that is on its way in a world, and the faults that messages meet there.

Implements the ports that cerebro publishes to.

Invariant: a message that was accepted arrives, once or more, in any order, eventually; or
never, where the scenario may lose messages of its kind.
"""

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final

from cerebro.core.cron.schedule import next_after
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.notices import AnyIncidentTimer, IncidentNotice
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer, Tick
from cerebro.dispatch import OBSERVATIONS, is_observed
from cerebro.simulator.checks.checker import Checker, input_key
from cerebro.simulator.checks.load_promises import HOP_MAX_S
from cerebro.simulator.checks.stored_forms import as_received
from cerebro.simulator.parts.faults import FaultInjector
from cerebro.simulator.parts.scenario import BEGIN, Scenario
from cerebro.simulator.parts.trace import Trace
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, CancelTask, InvokeTask, RetryRun, RunTask
from cordyna_core.contract.envelope import Envelope, open_envelope, seal
from cordyna_core.contract.ids import CEREBRO, SCHEDULER, derived_id
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc

RECEIVE_COUNT_MAX: Final = 5
"""How often a queue delivers a message before it moves it to the dead-letter queue."""

GIVEN_UP_AFTER_S: Final = 56.0
"""One message in 15 that was not acknowledged becomes a dead letter at once.

What its first delivery left undone must be found by a page timer or the sweep, days before.
"""

STRAY_TICK_RATE: Final = 0.3
"""How often a schedule fires once more after it was deleted."""

_HOP_MIN_S: Final = 0.01
_HOP_SPREAD_S: Final = HOP_MAX_S - _HOP_MIN_S
"""How much longer than _HOP_MIN_S a message may take from sender to queue."""


class InFlightMessage:
    """A message on its way to cerebro.

    `key` names the input that it is a copy of; `page` is the page of a page timer; `received`
    counts the deliveries of this copy. `queued_at` is when it reached its queue, with capacity.
    """

    __slots__ = ("key", "message", "page", "queued_at", "received", "run_id")

    def __init__(
        self, message: Any, key: str, run_id: str, page: int | None = None, received: int = 0
    ) -> None:
        self.message = message
        self.key = key
        self.run_id = run_id
        self.page = page
        self.queued_at = 0.0
        self.received = received

    def copy(self, received: int) -> "InFlightMessage":
        return InFlightMessage(self.message, self.key, self.run_id, self.page, received)


class Network:
    """The bus, the timers and the crons of one world, and its clock."""

    def __init__(
        self, scenario: Scenario, faults: FaultInjector, checker: Checker, trace: Trace | None
    ) -> None:
        self.now = BEGIN
        self.heap: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self.to_cerebro: Callable[[InFlightMessage], None]
        self.to_server: Callable[[RunTask | CancelTask], None]
        self.is_traced = trace is not None
        self.event_number = count()
        self._scenario, self._faults, self._checker, self._trace = scenario, faults, checker, trace
        self._tickets = count()
        self._cron_generation = 0
        self._may_lose_timers = scenario.safety_nets in ("both", "no repair")
        self._may_lose_fan_outs = scenario.safety_nets == "both"

    def schedule(self, due: float, action: Callable[[Any], None], argument: Any) -> None:
        """Call `action(argument)` at `due`."""
        heapq.heappush(self.heap, (due, next(self._tickets), action, argument))

    def trace(self, who: str, what: str, about: str = "", run: str = "") -> None:
        if self._trace is not None:
            self._trace.add(self.now - BEGIN, who, what, about, run)

    # --- to cerebro -----------------------------------------------------------------------------
    def publish_event(self, source: str, message: Message, at: float) -> None:
        """Put a message on the bus at a time."""
        event_id, time = f"event-{next(self.event_number)}", utc(at)
        envelope = Envelope(source, message, event_id, time)
        key, run_id = envelope.id, ""
        match message:
            case TaskStateChanged():
                run_id = message.run_id
            case CancelRun() | RetryRun():
                run_id = message.run_id
                key = derived_id(type(message).__name__, run_id, message.command_id or key)
        body = seal(message, source, event_id, time) if self._scenario.sealed else envelope
        self._send(InFlightMessage(body, key, run_id), at, may_be_lost=True)

    def inject_raw(self, body: str, event_id: str, at: float) -> None:
        """Put raw text on the bus at a time."""
        self._send(InFlightMessage(body, event_id, ""), at, may_be_lost=True)

    def _send(self, in_flight: InFlightMessage, at: float, *, may_be_lost: bool) -> None:
        if self._scenario.sealed and not isinstance(in_flight.message, str):
            in_flight.message = as_received(in_flight.message)
        due = at + self._hop_s()
        fault = self._next_message_fault(may_be_lost=may_be_lost)
        if fault:
            self.trace("fault", fault, type(in_flight.message).__name__, in_flight.run_id)
            if fault == "lost for good":
                if in_flight.page is not None:
                    self._checker.unreliable_pages.add((in_flight.run_id, in_flight.message.page))
                return
            if fault == "duplicated":
                self.deliver_at(due + self._faults.draw() * 90, in_flight.copy(0))
            else:
                due += self._fault_delay_s(fault)
        self.deliver_at(due, in_flight)

    def deliver_at(self, due: float, in_flight: InFlightMessage) -> None:
        """Have one more copy of a message delivered."""
        self._checker.unacknowledged[in_flight.key] += 1
        if in_flight.page is not None:
            self._checker.is_on_its_way(in_flight.message)
        self.schedule(due, self.to_cerebro, in_flight)

    def redeliver(self, in_flight: InFlightMessage) -> None:
        """Deliver again what was received but not acknowledged.

        A message that was received too often moves to the dead-letter queue, until it is redriven.
        """
        received = in_flight.received + 1
        wait = self._faults.uniform(1, 60)
        if received >= RECEIVE_COUNT_MAX or wait > GIVEN_UP_AFTER_S:
            self._faults.injected["dead-lettered"] += 1
            received, wait = 0, self._faults.uniform(86_400, 4 * 86_400)
        self.schedule(self.now + wait, self.to_cerebro, in_flight.copy(received))

    def _hop_s(self) -> float:
        return _HOP_MIN_S + self._faults.draw() * _HOP_SPREAD_S

    def _next_message_fault(self, *, may_be_lost: bool) -> str:
        faults = self._faults
        faults.messages_left -= 1
        if faults.messages_left > 0:
            return ""
        fault = faults.choice(faults.rates.message_faults)
        faults.messages_left = faults.steps_until_fault(faults.rates.messages)
        if fault == "lost for good" and not may_be_lost:
            fault = "lost, redelivered"
        faults.injected[fault] += 1
        return fault

    def _fault_delay_s(self, fault: str) -> float:
        match fault:
            case "reordered":
                return self._faults.uniform(1, 30)
            case "delayed":
                return self._faults.delay_s()
            case "dead-lettered":
                return self._faults.uniform(86_400, 4 * 86_400)
        return self._faults.uniform(30, 120)

    # --- CerebroBus -----------------------------------------------------------------------------
    def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._checker.published(message)
            if isinstance(message, RunTask | CancelTask):
                self._send_command(message)
            elif type(message) is InvokeTask:
                self.publish_event(SCHEDULER, message, self.now)
            elif type(message) in OBSERVATIONS and is_observed(message):
                self._observe(message)

    def _observe(self, message: Message) -> None:
        """Cerebro receives what it published; the id of the event is that of the message."""
        assert message.meta is not None
        event_id = message.meta.id or ""
        time = utc(self.now)
        body = (
            seal(message, CEREBRO, event_id, time)
            if self._scenario.sealed
            else Envelope(CEREBRO, message, event_id, time)
        )
        self._send(InFlightMessage(body, event_id, ""), self.now, may_be_lost=False)

    def _send_command(self, command: RunTask | CancelTask) -> None:
        due = self.now + self._hop_s()
        fault = self._next_message_fault(may_be_lost=True)
        if fault:
            about = f"{type(command).__name__} {command.task} {command.attempt}"
            self.trace("fault", fault, about, command.run_id)
            if fault == "lost for good":
                return
            if fault == "duplicated":
                self.schedule(due + self._faults.draw() * 30, self.to_server, command)
            else:
                due += self._fault_delay_s(fault)
        self.schedule(due, self.to_server, self._as_received(command))

    def _as_received(self, command: RunTask | CancelTask) -> RunTask | CancelTask:
        if not self._scenario.sealed:
            return command
        event_id = f"event-{next(self.event_number)}"
        opened = open_envelope(seal(command, CEREBRO, event_id, utc(self.now))).message
        assert isinstance(opened, RunTask | CancelTask)
        return opened

    # --- Timers ---------------------------------------------------------------------------------
    def send_page_timer(self, timer: PageTimer) -> None:
        faults = self._faults
        self._checker.messages += 1
        if self._checker.promises is not None:
            self._checker.promises.timers[timer.run_id] += 1
        lead = max(0.0, timer.due - self.now)
        rate = faults.rates.timers
        copies = 1
        if rate and lead:
            if faults.happens("timer early", rate):
                lead *= faults.draw()
            elif faults.happens("timer late", rate):
                lead += faults.uniform(1, 60)
            if faults.happens("timer twice", rate):
                copies = 2
        key = input_key(timer.run_id, timer.id)
        for _ in range(copies):
            in_flight = InFlightMessage(timer, key, timer.run_id, timer.page)
            self._send(in_flight, self.now + lead, may_be_lost=self._may_lose_timers)

    def send_fan_out(self, fan_out: FanOut) -> None:
        self._checker.messages += 1
        key = input_key(fan_out.run_id, fan_out.cause)
        in_flight = InFlightMessage(fan_out, key, fan_out.run_id)
        self._send(in_flight, self.now, may_be_lost=self._may_lose_fan_outs)

    def send_incident_timer(self, timer: AnyIncidentTimer) -> None:
        self._checker.messages += 1
        lead = max(0.0, timer.due - self.now)
        in_flight = InFlightMessage(timer, timer.id, "")
        self._send(in_flight, self.now + lead, may_be_lost=False)

    def send_incident_notice(self, notice: IncidentNotice) -> None:
        self._checker.messages += 1
        self._send(InFlightMessage(notice, notice.id, ""), self.now, may_be_lost=False)

    def send_overdue_check(self, check: OverdueCheck) -> None:
        self._checker.messages += 1
        key = input_key(check.run_id, check.id)
        in_flight = InFlightMessage(check, key, check.run_id, check.page)
        # A later turn may have to publish what an earlier delivery decided: a queue keeps it.
        self._send(in_flight, self.now, may_be_lost=self._may_lose_timers and not check.turn)

    # --- Crons ----------------------------------------------------------------------------------
    def apply(self, graph: Graph) -> None:
        self._cron_generation += 1
        for owned in graph.crons:
            task = owned.task
            self._schedule_tick(
                self._cron_generation, task.name, task.cron or "", task.timezone, self.now
            )

    def _schedule_tick(
        self, generation: int, task: str, cron: str, timezone: str, after: float
    ) -> None:
        nominal = next_after(cron, timezone, after)
        if nominal > BEGIN + self._scenario.crons_until_s:
            return

        def fire(_: Any) -> None:
            is_current = generation == self._cron_generation
            # A schedule that was deleted a moment ago may still fire: a fault of its message.
            may_be_stray = self._faults.rates.messages > 0
            if is_current or (may_be_stray and self._faults.chance(STRAY_TICK_RATE)):
                in_flight = InFlightMessage(Tick(task, nominal), f"tick-{task}-{nominal}", "")
                self._send(in_flight, nominal, may_be_lost=True)
            if is_current:
                self._schedule_tick(generation, task, cron, timezone, nominal)

        self.schedule(nominal, fire, None)

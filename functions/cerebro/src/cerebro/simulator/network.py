"""Traffic: everything that is on its way in a world, and what may happen to it there.

Law: it implements the ports that cerebro publishes to. A message that is accepted arrives, once or more, in any order, some
time; or, where the storm says so, never.
"""

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final

from cerebro.core.cron.schedule import next_after
from cerebro.core.effects import FanOut, PageTimer, Tick
from cerebro.core.graph.graph import Graph
from cerebro.simulator.checker import Checker, cause_key
from cerebro.simulator.faults import FaultInjector
from cerebro.simulator.scenario import BEGIN, Scenario
from cerebro.simulator.trace import Trace
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun, RunTask
from cordyna_core.contract.envelope import Envelope, open_envelope, seal
from cordyna_core.contract.ids import CEREBRO, SCHEDULER, derived_id
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc

MOST_RECEIVED: Final = 5
"""How often a queue delivers a message before it goes to the dead-letter queue."""


class InFlightMessage:
    """A message on its way to cerebro. `key` names it among the inputs; `received` counts its deliveries."""

    __slots__ = ("key", "message", "page", "received", "run_id")

    def __init__(
        self, message: Any, key: str, run_id: str, page: int | None = None, received: int = 0
    ) -> None:
        self.message, self.key, self.run_id, self.page, self.received = (
            message,
            key,
            run_id,
            page,
            received,
        )

    def again(self, received: int) -> "InFlightMessage":
        """Another copy of it."""
        return InFlightMessage(self.message, self.key, self.run_id, self.page, received)


class Network:
    """The bus, the timers and the crons of one world, and its clock."""

    def __init__(
        self, scenario: Scenario, luck: FaultInjector, watch: Checker, history: Trace | None
    ) -> None:
        self.now = BEGIN
        self.heap: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self.to_cerebro: Callable[[InFlightMessage], None]
        self.to_server: Callable[[RunTask], None]
        self._scenario, self._luck, self._watch, self._history = scenario, luck, watch, history
        self.is_noted = history is not None
        self._tickets = count()
        self._cron_graphs = 0
        self._may_lose_rings = scenario.nets in ("both", "no repair")
        self._may_lose_walks = scenario.nets == "both"
        self.event_number = count()

    def at(self, due: float, deliver: Callable[[Any], None], what: Any) -> None:
        """Have `deliver(what)` called then."""
        heapq.heappush(self.heap, (due, next(self._tickets), deliver, what))

    def note(self, who: str, what: str, about: str = "", run: str = "") -> None:
        if self._history is not None:
            self._history.note(self.now - BEGIN, who, what, about, run)

    # --- towards cerebro --------------------------------------------------------------------------------------------
    def say(self, source: str, message: Message, at: float) -> None:
        """Somebody puts a message on the bus at that time."""
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
        self._post(InFlightMessage(body, key, run_id), at, may_be_lost=True)

    def inject_raw(self, body: str, event_id: str, at: float) -> None:
        """Somebody puts raw text on the bus."""
        self._post(InFlightMessage(body, event_id, ""), at, may_be_lost=True)

    def _post(self, parcel: InFlightMessage, at: float, *, may_be_lost: bool) -> None:
        luck, watch = self._luck, self._watch
        due = at + 0.01 + luck.draw() * 0.5
        luck.messages_left -= 1
        if luck.messages_left <= 0:
            fault = luck.choice(luck.storm.message_faults)
            luck.messages_left = luck.gap(luck.storm.messages)
            if fault == "lost for good" and not may_be_lost:
                fault = "lost, redelivered"
            luck.struck[fault] += 1
            self.note("bad luck", fault, type(parcel.message).__name__, parcel.run_id)
            if fault == "lost for good":
                if isinstance(parcel.message, PageTimer):
                    watch.unreliable.add((parcel.run_id, parcel.message.page))
                return
            if fault == "duplicated":
                self.on_its_way(parcel.again(0), due + luck.draw() * 90)
            else:
                due += self._held_up(fault)
        self.on_its_way(parcel, due)

    def on_its_way(self, parcel: InFlightMessage, due: float) -> None:
        """Have one more copy of a parcel delivered then."""
        self._watch.unacknowledged[parcel.key] += 1
        if parcel.page is not None:
            self._watch.rings[parcel.run_id, parcel.page].append(parcel.message.due)
        self.at(due, self.to_cerebro, parcel)

    def _held_up(self, fault: str) -> float:
        luck = self._luck
        match fault:
            case "reordered":
                return luck.between(1, 30)
            case "delayed":
                return luck.delay_s()
            case "dead-lettered":
                return luck.between(86_400, 4 * 86_400)
        return luck.between(30, 120)

    def redeliver(self, parcel: InFlightMessage) -> None:
        """It was received and not acknowledged: its queue delivers it again, or puts it aside until somebody redrives it."""
        received = parcel.received + 1
        wait = self._luck.between(1, 60)
        if received >= MOST_RECEIVED:
            self._luck.struck["dead-lettered"] += 1
            received, wait = 0, self._luck.between(86_400, 4 * 86_400)
        self.at(self.now + wait, self.to_cerebro, parcel.again(received))

    # --- CerebroBus -------------------------------------------------------------------------------------------------
    def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._watch.published(message)
            if type(message) is RunTask:
                self._command(message)
            elif type(message) is InvokeTask:
                self.say(SCHEDULER, message, self.now)

    def _command(self, command: RunTask) -> None:
        luck = self._luck
        due = self.now + 0.01 + luck.draw() * 0.5
        luck.messages_left -= 1
        if luck.messages_left <= 0:
            fault = luck.choice(luck.storm.message_faults)
            luck.messages_left = luck.gap(luck.storm.messages)
            luck.struck[fault] += 1
            self.note(
                "bad luck", fault, f"RunTask {command.task} {command.attempt}", command.run_id
            )
            if fault == "lost for good":
                return
            if fault == "duplicated":
                self.at(due + luck.draw() * 30, self.to_server, command)
            else:
                due += self._held_up(fault)
        if self._scenario.sealed:
            opened = open_envelope(
                seal(command, CEREBRO, f"event-{next(self.event_number)}", utc(self.now))
            ).message
            assert isinstance(opened, RunTask)
            command = opened
        self.at(due, self.to_server, command)

    # --- Timers -----------------------------------------------------------------------------------------------------
    def send_page_timer(self, ring: PageTimer) -> None:
        luck, watch = self._luck, self._watch
        watch.messages += 1
        key = cause_key(ring.run_id, ring.id)
        lead = max(0.0, ring.due - self.now)
        rate = luck.storm.rings
        copies = 1
        if rate and lead:
            if luck.strikes("ring early", rate):
                lead *= luck.draw()
            elif luck.strikes("ring late", rate):
                lead += luck.between(1, 60)
            if luck.strikes("ring twice", rate):
                copies = 2
        for _ in range(copies):
            self._post(
                InFlightMessage(ring, key, ring.run_id, ring.page),
                self.now + lead,
                may_be_lost=self._may_lose_rings,
            )

    def send_fan_out(self, walk: FanOut) -> None:
        self._watch.messages += 1
        self._post(
            InFlightMessage(walk, cause_key(walk.run_id, walk.cause), walk.run_id),
            self.now,
            may_be_lost=self._may_lose_walks,
        )

    # --- Crons ------------------------------------------------------------------------------------------------------
    def apply(self, graph: Graph) -> None:
        self._cron_graphs += 1
        for placed in graph.crons:
            self._tick(
                self._cron_graphs,
                placed.task.name,
                placed.task.cron or "",
                placed.task.timezone,
                self.now,
            )

    def _tick(self, applied: int, task: str, cron: str, timezone: str, after: float) -> None:
        nominal = next_after(cron, timezone, after)
        if nominal > BEGIN + self._scenario.cron_days * 86_400:
            return

        def fire(_: Any) -> None:
            if applied == self._cron_graphs:
                message = Tick(task, nominal)
                self._post(
                    InFlightMessage(message, f"tick-{task}-{nominal}", ""),
                    nominal,
                    may_be_lost=True,
                )
                self._tick(applied, task, cron, timezone, nominal)

        self.at(nominal, fire, None)

"""Handlers: cerebro in a world. Each handler performs its batch of messages effect by effect.

A handler runs the real program of a real message, on the shell's own table of effects. A fault
stops it before or after an effect, never within one.

Invariant: an input is acknowledged once its whole batch was handled, and not before.
"""

from collections.abc import Callable
from typing import Any, Final

from cerebro.core import effects
from cerebro.core.effects import Program
from cerebro.core.incidents import effects as incident_effects
from cerebro.core.internal_messages import InternalMessage, PageTimer
from cerebro.core.run import page_check
from cerebro.handlers.receive import Delivery, open_delivery, program_of, receive
from cerebro.shell import PERFORM, Ports
from cerebro.simulator.checks.checker import Checker
from cerebro.simulator.checks.handled_input import HandledInput, Observed
from cerebro.simulator.checks.noted_effects import NOTED
from cerebro.simulator.checks.stored_forms import STORED, check_stored_forms
from cerebro.simulator.parts.fault_effects import may_happen_at
from cerebro.simulator.parts.faults import FaultInjector
from cerebro.simulator.parts.scenario import SafetyNets
from cerebro.simulator.parts.trace import summary
from cerebro.simulator.worlds.network import InFlightMessage, Network
from cordyna_core.contract.envelope import Envelope, MalformedEvent
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.readable_update import readable_update
from cordyna_core.errors import Fatal

VISIBILITY_TIMEOUT_S: Final = 90.0
"""An unacknowledged message is delivered to another handler then, though the first still has it."""


_NOTHING_YET: Final = HandledInput(None, "")


def _not_observed(_: InFlightMessage) -> None:
    """Nothing measures how long a message waited."""


class SimulatedHandler:
    """One invocation of a handler: its batch, and how far it is."""

    __slots__ = (
        "answer",
        "effect",
        "handled",
        "is_paused",
        "messages",
        "on_begin",
        "on_end",
        "position",
        "program",
        "skew_s",
    )

    def __init__(self, messages: list[InFlightMessage], skew_s: float) -> None:
        self.messages, self.skew_s = messages, skew_s
        self.position = 0
        self.program: Program | None = None
        self.answer: Any = None
        self.handled = _NOTHING_YET
        self.effect: type = type(None)
        """The kind of its last effect."""
        self.is_paused = False
        self.on_begin: Callable[[InFlightMessage], None] = _not_observed
        self.on_end: Callable[[], None] = lambda: None

    @property
    def current(self) -> InFlightMessage:
        return self.messages[self.position]

    @property
    def name(self) -> str:
        message = self.messages[min(self.position, len(self.messages) - 1)].message
        return type(message.message if isinstance(message, Envelope) else message).__name__


_Observer = Callable[[SimulatedHandler, Any, Any], None]
"""(handler, effect, answer): checks an effect that was performed."""

_Local = Callable[[SimulatedHandler, Any], Any]
"""(handler, effect) -> answer."""


class SimulatedCerebro:
    """All handlers that are running.

    `crash_at` injects a fault at given effects (counted from 0), whatever the fault rates are.
    `reads_stored_forms`: what is written is also read from its stored forms.
    """

    def __init__(
        self,
        ports: Ports,
        network: Network,
        faults: FaultInjector,
        checker: Checker,
        *,
        safety_nets: SafetyNets,
        batch: int,
        crash_at: dict[int, str] | None = None,
        reads_stored_forms: bool = False,
    ) -> None:
        self.running: list[SimulatedHandler] = []
        self.resume: Callable[[SimulatedHandler], None] = self.running.append
        """What continues a handler after a pause."""
        self.effects = 0
        self.skew_s = 0.0
        self.dead_letters: list[tuple[InFlightMessage, str]] = []
        self._ports, self._network, self._faults = ports, network, faults
        self._checker = checker
        self._repair = safety_nets in ("both", "no sweep")
        self._batch, self._crash_at = batch, crash_at or {}
        self._pending_fault = ""
        observers: dict[type, _Observer] = {
            **NOTED,
            effects.WriteTask: self._task_written,
            effects.WriteRun: self._run_written,
            effects.Publish: self._sent,
            effects.SendPageTimer: self._timer_sent,
            effects.SendOverdueCheck: self._check_sent,
            effects.WriteCachedResult: lambda _handler, effect, _answer: checker.result_written(
                effect
            ),
            incident_effects.WriteIncident: self._incident_written,
            incident_effects.WriteDeadline: self._deadline_written,
        }
        self._performed = PERFORM | _PERFORM_AND_CHECK if reads_stored_forms else PERFORM
        """How each effect is performed."""
        self._observed = observers
        """What observes each effect, after it was performed."""
        # A crash at a given effect may be at any of them.
        self._answered: dict[type, _Local] = (
            {}
            if crash_at
            else {
                effects.Now: self._read_clock,
                effects.ReadRunSnapshot: lambda _, effect: ports.store.read_run_snapshot(
                    effect.run_id
                ),
            }
        )
        """How each effect is answered that reads what no other handler changes."""

    def deliver(self, in_flight: InFlightMessage) -> None:
        """Hand a message to a handler; what arrives at nearly the same time is one batch."""
        last = self.running[-1] if self.running else None
        if (
            last is not None
            and len(last.messages) < self._batch
            and last.program is None
            and last.position == 0
        ):
            last.messages.append(in_flight)
            return
        self.running.append(SimulatedHandler([in_flight], self._faults.skew_s()))

    def step(self, handler: SimulatedHandler) -> bool:
        """Perform one effect of a handler. Returns whether it continues at once."""
        handler.is_paused = False
        program = handler.program or self._open(handler)
        if program is None:
            return self._next_message(handler)
        self.skew_s, self._checker.handled = handler.skew_s, handler.handled
        faults, answered, send = self._faults, self._answered, program.send
        try:
            effect = send(handler.answer)
            while (answer := answered.get(type(effect))) is not None and faults.steps_left > 1:
                # No other handler can observe it, so none takes a turn before the next effect.
                self.effects += 1
                faults.steps_left -= 1
                effect = send(answer(handler, effect))
        except StopIteration:
            self._checker.ended(handler.handled, handler.messages[handler.position].run_id)
            return self._next_message(handler)
        except Fatal as error:
            self._checker.refused(handler.handled)
            self._add_dead_letter(handler, str(error))
            return self._next_message(handler)
        self.effects += 1
        handler.effect = type(effect)
        faults.steps_left -= 1
        if faults.steps_left <= 0:
            return self._on_fault_due(handler, effect)
        if self._crash_at and (fault := self._crash_at.get(self.effects - 1)):
            suited = fault if may_happen_at(effect, fault) else "crash after"
            return self._inject(handler, effect, suited)
        handler.answer = self._perform(handler, effect)
        return True

    def _perform(self, handler: SimulatedHandler, effect: Any) -> Any:
        kind = type(effect)
        answer = self._performed[kind](self._ports, effect)
        observer = self._observed.get(kind)
        if observer is not None:
            observer(handler, effect, answer)
        return answer

    def _read_clock(self, handler: SimulatedHandler, _: effects.Now) -> float:
        now = self._network.now + handler.skew_s
        handler.handled.clocks.append(now)
        return now

    def _task_written(
        self, handler: SimulatedHandler, effect: effects.WriteTask, answer: Any
    ) -> None:
        if answer is None:
            self._trace(handler, "writes", effect, effect.run_id)
            self._checker.task_written(effect, self._network.now)
        else:
            handler.handled.facts_read[effect.run_id, effect.index] = answer

    def _run_written(
        self, handler: SimulatedHandler, effect: effects.WriteRun, answer: Any
    ) -> None:
        if answer is None:
            self._trace(handler, "writes", effect, effect.new.id)
            self._checker.run_written(effect, self._network.now)
        # Another one may have changed it.
        handler.handled.note_run(effect.new.id, effect.new if answer is None else answer)

    def _incident_written(self, handler: SimulatedHandler, effect: Any, answer: Any) -> None:
        if answer is None:
            state = "open" if effect.new.is_open else "closed"
            if self._network.is_traced:
                about = f"{effect.new.mark} {state} version {effect.new.version}"
                self._network.trace(handler.name, "writes", about, effect.new.run_id or "")
            self._checker.incident_written(effect)

    def _deadline_written(self, handler: SimulatedHandler, effect: Any, answer: Any) -> None:
        del handler
        if answer is None:
            self._checker.deadline_written(effect)

    def _sent(self, handler: SimulatedHandler, effect: Any, _: Any) -> None:
        self._trace(handler, "sends", effect, handler.current.run_id)

    def _timer_sent(self, handler: SimulatedHandler, effect: effects.SendPageTimer, _: Any) -> None:
        handler.handled.armed_pages.add(effect.timer.page)
        self._trace(handler, "sends", effect, handler.current.run_id)

    def _check_sent(
        self, handler: SimulatedHandler, effect: effects.SendOverdueCheck, _: Any
    ) -> None:
        handler.handled.checks.append(effect.check)
        self._trace(handler, "sends", effect, effect.check.run_id)

    def _trace(self, handler: SimulatedHandler, what: str, effect: Any, run_id: str) -> None:
        if self._network.is_traced:
            self._network.trace(handler.name, what, summary(effect), run_id)

    # --- from message to message ----------------------------------------------------------------
    def _open(self, handler: SimulatedHandler) -> Program | None:
        in_flight = handler.current
        message = in_flight.message
        handler.on_begin(in_flight)
        try:
            if isinstance(message, str):
                self._checker.handled = HandledInput(None, in_flight.key)
                message = _opened(message)
            is_own = isinstance(message, Envelope) and message.source == CEREBRO
            handler.handled = HandledInput(Observed(message) if is_own else message, in_flight.key)
            self._checker.begun(handler.handled)
            if not self._repair and isinstance(message, PageTimer):
                handler.program = page_check.on_page_timer(message, repair=False)
            else:
                handler.program = program_of(message)
        except (MalformedEvent, Fatal) as error:
            if isinstance(in_flight.message, str):
                self._receive_unreadable(in_flight.key, in_flight.message)
            self._add_dead_letter(handler, str(error))
        if handler.program is not None and self._network.is_traced:
            self._network.trace(handler.name, "begins", "", in_flight.run_id)
        return handler.program

    def _receive_unreadable(self, key: str, text: str) -> None:
        """Have a text answered and kept as a dead letter, as the handlers of a queue do."""
        received = receive([Delivery(key, text)], self._ports)
        for kept, _ in received.dead_letters:
            self._checker.kept_as_dead_letter(kept.body)

    def _add_dead_letter(self, handler: SimulatedHandler, reason: str) -> None:
        self._network.trace(handler.name, "dead-letters", reason, handler.current.run_id)
        self.dead_letters.append((handler.current, reason))

    def _next_message(self, handler: SimulatedHandler) -> bool:
        handler.position += 1
        return self._continue_batch(handler)

    def _continue_batch(self, handler: SimulatedHandler) -> bool:
        """Prepare the next message of the batch; acknowledge the batch after the last one."""
        handler.program, handler.answer = None, None
        if handler.position < len(handler.messages):
            return True
        checker = self._checker
        for in_flight in handler.messages:
            if in_flight.page is not None:
                checker.arrived(in_flight.message)
            checker.acknowledged(in_flight.key, in_flight.run_id, in_flight.page)
        return False

    # --- faults ---------------------------------------------------------------------------------
    def _on_fault_due(self, handler: SimulatedHandler, effect: Any) -> bool:
        faults = self._faults
        fault = self._pending_fault or faults.choice(faults.rates.step_faults)
        self._pending_fault = fault
        is_suited = may_happen_at(effect, fault)
        if not is_suited and faults.rates.steps:
            # It waits for an effect that it suits.
            faults.steps_left = 1
            handler.answer = self._perform(handler, effect)
            return True
        self._pending_fault = ""
        faults.steps_left = faults.steps_until_fault(faults.rates.steps)
        return self._inject(handler, effect, fault if is_suited else "crash after")

    def _inject(self, handler: SimulatedHandler, effect: Any, fault: str) -> bool:
        self._faults.injected[fault] += 1
        about = f"{handler.name}: {type(effect).__name__}"
        self._network.trace("fault", fault, about, handler.current.run_id)
        match fault:
            case "crash before":
                return self._crash(handler)
            case "crash after":
                self._perform(handler, effect)
                return self._crash(handler)
            case "throttled":
                return self._fail(handler)
            case "partly published":
                count = self._faults.integer(1, len(effect.messages) - 1)
                self._perform(handler, effects.Publish(tuple(effect.messages[:count])))
                return self._fail(handler)
            case "answer lost":
                handler.answer = self._perform_losing_answer(handler, effect)
                return True
        return self._pause(handler, effect)

    def _crash(self, handler: SimulatedHandler) -> bool:
        for in_flight in handler.messages:
            self._network.redeliver(in_flight)
        return False

    def _fail(self, handler: SimulatedHandler) -> bool:
        """A port raised: this message is delivered again, the rest of its batch continues."""
        self._network.redeliver(handler.messages.pop(handler.position))
        return self._continue_batch(handler)

    def _perform_losing_answer(self, handler: SimulatedHandler, effect: Any) -> Any:
        """The write succeeds, its answer is lost, and the client's own retry reads the new item."""
        answer = self._perform(handler, effect)
        if isinstance(effect, effects.WriteHead):
            return False
        return effect.new if answer is None else answer

    def _pause(self, handler: SimulatedHandler, effect: Any) -> bool:
        handler.answer = self._perform(handler, effect)
        pause = self._faults.pause_s()
        if pause > VISIBILITY_TIMEOUT_S:
            for in_flight in handler.messages:
                self._network.deliver_at(
                    self._network.now + VISIBILITY_TIMEOUT_S, in_flight.copy(in_flight.received + 1)
                )
        handler.is_paused = True
        self._network.schedule(self._network.now + pause, self.resume, handler)
        return False


def _with_stored_forms(perform: Callable[[Ports, Any], Any]) -> Callable[[Ports, Any], Any]:
    def checked(ports: Ports, effect: Any) -> Any:
        check_stored_forms(effect)
        return perform(ports, effect)

    return checked


_PERFORM_AND_CHECK: Final = {kind: _with_stored_forms(PERFORM[kind]) for kind in STORED}
"""How effects are performed whose stored forms are checked."""


def _opened(text: str) -> Envelope | InternalMessage:
    """Return what a text holds; of a malformed update what can be read. Raises MalformedEvent."""
    try:
        return open_delivery(text)
    except MalformedEvent as malformed:
        if (update := readable_update(malformed)) is None:
            raise
        return update

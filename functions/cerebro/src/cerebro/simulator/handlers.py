"""Cerebro: the handlers of a world. Each works through its batch of messages effect by effect, and may be struck at any.

Law: what a handler does is the real reaction to a real message, performed by the shell's own table; it is stopped before
or after an effect, never within one. An input is acknowledged when its whole batch was handled.
"""

from collections.abc import Callable
from typing import Any, Final

from cerebro.core import effects as e
from cerebro.core.effects import PageTimer, Program
from cerebro.core.run import page_check
from cerebro.handlers.receive import answer_malformed, open_delivery, program_of
from cerebro.shell import PERFORM, Ports
from cerebro.simulator.checker import Checker, about
from cerebro.simulator.faults import NEVER, FaultInjector
from cerebro.simulator.network import InFlightMessage, Network
from cerebro.simulator.scenario import Nets
from cordyna_core.contract.envelope import Envelope, MalformedEvent
from cordyna_core.errors import Fatal

_VISIBLE_AGAIN_S: Final = 90.0
"""A message that is not acknowledged by then is delivered to another handler, though the first still has it."""


class SimulatedHandler:
    """One invocation of a handler: its batch, and how far it is."""

    __slots__ = ("answer", "key", "parcels", "place", "program", "skew")

    def __init__(self, parcels: list[InFlightMessage], skew: float) -> None:
        self.parcels, self.skew = parcels, skew
        self.place = 0
        self.program: Program | None = None
        self.answer: Any = None
        self.key = ""

    @property
    def name(self) -> str:
        parcel = self.parcels[min(self.place, len(self.parcels) - 1)]
        kind = parcel.message.message if isinstance(parcel.message, Envelope) else parcel.message
        return type(kind).__name__


class SimulatedCerebro:
    """All handlers that are at work. `crash_at`: numbers of effects (counted from 0) at which, in any case, a crash comes."""

    def __init__(
        self,
        ports: Ports,
        traffic: Network,
        luck: FaultInjector,
        watch: Checker,
        *,
        nets: Nets,
        batch: int,
        crash_at: dict[int, str] | None = None,
    ) -> None:
        self.at_work: list[SimulatedHandler] = []
        self.effects = 0
        self.skew = 0.0
        self.dead_letters: list[tuple[InFlightMessage, str]] = []
        self._ports, self._traffic, self._luck, self._watch = ports, traffic, luck, watch
        self._repair = nets in ("both", "no sweep")
        self._batch, self._crash_at = batch, crash_at or {}
        self._fault_due = ""
        self._looks: dict[type, Callable[[SimulatedHandler, Any, Any], None]] = {
            e.WriteTask: self._task_written,
            e.WriteRun: self._run_written,
            e.Publish: self._sent,
            e.SendPageTimer: self._sent,
        }

    def deliver(self, parcel: InFlightMessage) -> None:
        """A queue delivers; what comes at nearly the same time comes in one batch."""
        last = self.at_work[-1] if self.at_work else None
        if (
            last is not None
            and len(last.parcels) < self._batch
            and last.program is None
            and last.place == 0
        ):
            last.parcels.append(parcel)
            return
        self.at_work.append(SimulatedHandler([parcel], self._luck.skew()))

    def step(self, handler: SimulatedHandler) -> bool:
        """One effect of one handler. Returns whether it goes on."""
        program = handler.program or self._open(handler)
        if program is None:
            return self._next(handler)
        try:
            effect = program.send(handler.answer)
        except StopIteration:
            return self._next(handler)
        except Fatal as never:
            self._bury(handler, str(never))
            return self._next(handler)
        self.effects += 1
        luck = self._luck
        luck.steps_left -= 1
        if luck.steps_left <= 0:
            return self._struck(handler, effect)
        if self._crash_at and (where := self._crash_at.get(self.effects - 1)):
            return self._strike(handler, effect, where if _suits(where, effect) else "crash after")
        handler.answer = self._perform(handler, effect)
        return True

    def _perform(self, handler: SimulatedHandler, effect: Any) -> Any:
        self.skew, self._watch.speaker = handler.skew, handler.key
        kind = type(effect)
        answer = PERFORM[kind](self._ports, effect)
        look = self._looks.get(kind)
        if look is not None:
            look(handler, effect, answer)
        return answer

    def _task_written(self, handler: SimulatedHandler, effect: e.WriteTask, answer: Any) -> None:
        if answer is None:
            self._note(handler, "writes", effect, effect.run_id)
            self._watch.task_written(effect, self._traffic.now)

    def _run_written(self, handler: SimulatedHandler, effect: e.WriteRun, answer: Any) -> None:
        if answer is None:
            self._note(handler, "writes", effect, effect.new.id)
            self._watch.run_written(effect, self._traffic.now)

    def _sent(self, handler: SimulatedHandler, effect: Any, _: Any) -> None:
        self._note(handler, "sends", effect, handler.parcels[handler.place].run_id)

    def _note(self, handler: SimulatedHandler, what: str, effect: Any, run_id: str) -> None:
        if self._traffic.is_noted:
            self._traffic.note(handler.name, what, about(effect), run_id)

    # --- from message to message ------------------------------------------------------------------------------------
    def _open(self, handler: SimulatedHandler) -> Program | None:
        parcel = handler.parcels[handler.place]
        message = parcel.message
        handler.key = parcel.key
        try:
            if isinstance(message, str):
                message = open_delivery(message)
            if not self._repair and isinstance(message, PageTimer):
                handler.program = page_check.on_page_timer(message, repair=False)
            else:
                handler.program = program_of(message)
        except (MalformedEvent, Fatal) as never:
            answer_malformed(never, self._ports)
            self._bury(handler, str(never))
        if handler.program is not None and self._traffic.is_noted:
            self._traffic.note(handler.name, "begins", "", parcel.run_id)
        return handler.program

    def _bury(self, handler: SimulatedHandler, reason: str) -> None:
        self._traffic.note(handler.name, "buried", reason, handler.parcels[handler.place].run_id)
        self.dead_letters.append((handler.parcels[handler.place], reason))

    def _next(self, handler: SimulatedHandler) -> bool:
        handler.place += 1
        return self._goes_on(handler)

    def _goes_on(self, handler: SimulatedHandler) -> bool:
        """With the next message of its batch, if there is one; else the batch is acknowledged."""
        handler.program, handler.answer = None, None
        if handler.place < len(handler.parcels):
            return True
        for parcel in handler.parcels:
            if parcel.page is not None:
                self._watch.rings[parcel.run_id, parcel.page].remove(parcel.message.due)
            self._watch.acknowledged(parcel.key, parcel.run_id, parcel.page)
        return False

    # --- bad luck ---------------------------------------------------------------------------------------------------
    def _struck(self, handler: SimulatedHandler, effect: Any) -> bool:
        luck = self._luck
        fault = self._fault_due = self._fault_due or luck.choice(luck.storm.step_faults)
        is_suited = _suits(fault, effect)
        if not is_suited and luck.storm.steps:
            # It waits for an effect that it suits.
            luck.steps_left = 1
            handler.answer = self._perform(handler, effect)
            return True
        self._fault_due = ""
        luck.steps_left = luck.gap(luck.storm.steps)
        return self._strike(handler, effect, fault if is_suited else "crash after")

    def _strike(self, handler: SimulatedHandler, effect: Any, fault: str) -> bool:
        self._luck.struck[fault] += 1
        self._traffic.note(
            "bad luck",
            fault,
            f"{handler.name}: {type(effect).__name__}",
            handler.parcels[handler.place].run_id,
        )
        match fault:
            case "crash before":
                return self._crash(handler)
            case "crash after":
                self._perform(handler, effect)
                return self._crash(handler)
            case "throttled":
                return self._again(handler)
            case "partly published":
                whole = list(effect.messages)
                self._perform(
                    handler, e.Publish(tuple(whole[: self._luck.whole(1, len(whole) - 1)]))
                )
                return self._again(handler)
            case "answer lost":
                handler.answer = self._answer_lost(handler, effect)
                return True
        return self._pause(handler, effect)

    def _crash(self, handler: SimulatedHandler) -> bool:
        for parcel in handler.parcels:
            self._traffic.redeliver(parcel)
        return False

    def _again(self, handler: SimulatedHandler) -> bool:
        """A port raised: this message comes again, the rest of its batch goes on."""
        self._traffic.redeliver(handler.parcels.pop(handler.place))
        return self._goes_on(handler)

    def _answer_lost(self, handler: SimulatedHandler, effect: Any) -> Any:
        """The write succeeds, its answer is lost, and the client's own second try is answered with what is there: the new."""
        answer = self._perform(handler, effect)
        if isinstance(effect, e.WriteHead):
            return False
        return effect.new if answer is None else answer

    def _pause(self, handler: SimulatedHandler, effect: Any) -> bool:
        handler.answer = self._perform(handler, effect)
        pause = self._luck.pause_s()
        if pause > _VISIBLE_AGAIN_S:
            for parcel in handler.parcels:
                self._traffic.on_its_way(
                    parcel.again(parcel.received + 1), self._traffic.now + _VISIBLE_AGAIN_S
                )
        self._traffic.at(self._traffic.now + pause, self.at_work.append, handler)
        return False


_SUITS: Final[dict[str, Callable[[Any], bool]]] = {
    "answer lost": lambda effect: type(effect) in (e.WriteTask, e.WriteRun, e.WriteHead),
    "partly published": lambda effect: type(effect) is e.Publish and len(effect.messages) > 1,
}
"""Which effects a fault strikes; what is not listed strikes any."""


def _suits(fault: str, effect: Any) -> bool:
    suits = _SUITS.get(fault)
    return suits is None or suits(effect)


__all__ = ["NEVER", "SimulatedCerebro", "SimulatedHandler"]

"""Server behavior: simulated task servers, from perfect to hopeless.

Invariant: a server starts no body after `ack_by` unless it reported `queued`, none after
`start_by`, and none of a cancelled attempt (docs/rules.md, rule 6); all else may go wrong with it.
How an attempt ends is decided when its first body begins. No two bodies have the same output.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from cerebro.simulator.parts.faults import FaultInjector
from cerebro.simulator.parts.scenario import ServerBehavior
from cordyna_core.contract.base import ErrorDescription, meta_at
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.queued_hold import queued_hold_s
from cordyna_core.start_hold import StartHold

LARGE_OUTPUT: Final = "x" * 600
"""Larger than what is stored with a fact."""

SLOW_FACTOR: Final = 60.0

Attempt = tuple[str, str, int]
"""(run, task, attempt)."""

Publish = Callable[[str, TaskStateChanged, float], None]
"""(server, update, at): puts the update on the bus at that time."""

Schedule = Callable[[float, Callable[[Any], None], Any], None]
"""(due, action, argument): calls `action(argument)` at `due`."""

_ERRORS: Final = (
    ErrorDescription(type="Oops", message="it did not work"),
    ErrorDescription(type="Oops", message="it did not work"),
    ErrorDescription(type="Terminal", message="it never will", retryable=False),
)


class SimulatedServer:
    """One task server; `publish` puts its updates on the bus."""

    def __init__(
        self,
        name: str,
        behavior: ServerBehavior,
        faults: FaultInjector,
        publish: Publish,
        schedule: Schedule,
        begin: float,
    ) -> None:
        self.name, self.behavior = name, behavior
        self.bodies: dict[Attempt, int] = {}
        """How many bodies began, by attempt."""
        self.reported: dict[Attempt, dict[str, float]] = {}
        """When each state was first reported, by attempt."""
        self._faults, self._begin = faults, begin
        self._publish, self._schedule = publish, schedule
        self._free_at = [begin] * behavior.concurrency
        self._outcomes: dict[Attempt, tuple[str, ErrorDescription | None]] = {}
        self._cancelled: set[Attempt] = set()

    def cancel(self, command: CancelTask) -> None:
        """Begin no body of this attempt from now on."""
        self._cancelled.add((command.run_id, command.task, command.attempt))

    def receive(self, command: RunTask, now: float) -> None:
        """Handle a command: report `queued` if its body waits here, and schedule the body."""
        faults, behavior = self._faults, self.behavior
        if behavior.dead[0] <= now - self._begin < behavior.dead[1]:
            faults.injected["server dead"] += 1
            return
        if now + faults.skew_s() > command.ack_by.timestamp():
            return
        begin = now + faults.uniform(behavior.start_s[0], behavior.start_s[1])
        duration = self._draw_duration()
        is_queued = False
        if behavior.concurrency:
            begin = max(begin, min(self._free_at))
            hold_s = self._queued_hold_s(command, now)
            if is_queued := not hold_s or begin > now + hold_s:
                self._report(command, "queued", now + hold_s)
            if begin > command.start_by.timestamp():
                return
            self._free_at.remove(min(self._free_at))
            self._free_at.append(begin + duration)
        elif begin > command.ack_by.timestamp():
            return
        self._schedule(begin, self._run_body, (command, begin, duration, is_queued))

    def _draw_duration(self) -> float:
        duration = self._faults.uniform(0.0, self.behavior.body_s)
        is_slow = self._faults.happens("server slow", self.behavior.slow)
        return duration * SLOW_FACTOR if is_slow else duration

    def _run_body(self, body: tuple[RunTask, float, float, bool]) -> None:
        command, begin, duration, is_queued = body
        key = (command.run_id, command.task, command.attempt)
        if key in self._cancelled:
            return
        self.bodies[key] = self.bodies.get(key, 0) + 1
        if key not in self._outcomes:
            self._outcomes[key] = self._draw_outcome()
        outcome, error = self._outcomes[key]
        hold_s = self._started_hold_s(command, begin, is_queued=is_queued)
        is_held = bool(outcome) and duration < hold_s
        if not is_held:
            self._report(command, "started", begin + hold_s, made_at=begin)
        if outcome:
            end = begin + duration
            started_at = utc(begin) if is_held else None
            self._report(command, outcome, end, error=error, started_at=started_at)
            if self._faults.happens("answered twice", self.behavior.twice):
                # A second body may have completed where the first one failed.
                again = "completed" if self._faults.chance(0.3) else outcome
                at = end + self._faults.uniform(0, 60)
                self._report(command, again, at, error=error if again == "error" else None)
        if self._faults.happens("server lied", self.behavior.lies):
            self._lie(command, begin)

    def _queued_hold_s(self, command: RunTask, now: float) -> float:
        """For how long `queued` is held back: by a server that holds `started`, too."""
        if not self.behavior.started_after_s:
            return 0.0
        return queued_hold_s(command, now + self._faults.skew_s())

    def _started_hold_s(self, command: RunTask, begin: float, *, is_queued: bool) -> float:
        """For how long `started` is held back, by a server whose clock may be off."""
        hold_s = self.behavior.started_after_s
        if not hold_s:
            return 0.0
        return StartHold(hold_s).seconds(command, begin + self._faults.skew_s(), queued=is_queued)

    def _draw_outcome(self) -> tuple[str, ErrorDescription | None]:
        if self._faults.happens("server hung", self.behavior.hangs):
            return "", None
        if self._faults.happens("body failed", self.behavior.fails):
            return "error", self._faults.choice(_ERRORS)
        return "completed", None

    def _lie(self, command: RunTask, begin: float) -> None:
        """Report any state of this attempt, the one before or the one after."""
        faults = self._faults
        state = faults.choice(("completed", "error", "started", "queued"))
        attempt = max(1, command.attempt + faults.choice((0, -1, 1)))
        error = _ERRORS[0] if state == "error" else None
        lie = command.model_copy(update={"attempt": attempt})
        self._report(lie, state, begin + faults.uniform(0, 100), error=error)

    def _report(
        self,
        command: RunTask,
        state: Any,
        at: float,
        *,
        made_at: float | None = None,
        error: ErrorDescription | None = None,
        started_at: datetime | None = None,
    ) -> None:
        key = (command.run_id, command.task, command.attempt)
        states = self.reported.setdefault(key, {})
        states[state] = min(at, states.get(state, at))
        update = TaskStateChanged(
            meta=meta_at(
                at if made_at is None else made_at, derived_id("TaskStateChanged", *key, state)
            ),
            server=self.name,
            run_id=command.run_id,
            task=command.task,
            attempt=command.attempt,
            state=state,
            output=self._output(command) if state == "completed" else None,
            error=error,
            started_at=started_at,
        )
        self._publish(self.name, update, at)

    def _output(self, command: RunTask) -> str:
        """Says whose it is: of which run, task, attempt and body."""
        key = (command.run_id, command.task, command.attempt)
        body = f"{command.task} {command.run_id[-6:]} {command.attempt}.{self.bodies.get(key, 0)}"
        return body + (LARGE_OUTPUT if command.task[-1] in "13" else "")

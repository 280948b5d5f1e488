"""Server behavior: simulated task servers, from perfect to hopeless.

Invariant: a server starts no body after `ack_by` unless it reported `queued`, and none after
`start_by` (docs/rules.md, rule 6); everything else may go wrong with it. How an attempt ends is
decided when its first command arrives.
"""

from collections.abc import Callable
from typing import Any, Final

from cerebro.simulator.faults import FaultInjector
from cerebro.simulator.scenario import ServerBehavior
from cordyna_core.contract.base import ErrorDescription, State, meta_at
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.state_updates import TaskStateChanged

LARGE_OUTPUT: Final = "x" * 600
"""Larger than what is stored with a fact."""

SLOW_FACTOR: Final = 60.0

Publish = Callable[[str, TaskStateChanged, float], None]
"""(server, update, at): puts the update on the bus at that time."""


class SimulatedServer:
    """One task server; `publish` puts its updates on the bus."""

    def __init__(
        self,
        name: str,
        behavior: ServerBehavior,
        faults: FaultInjector,
        publish: Publish,
        begin: float,
    ) -> None:
        self.name, self.behavior = name, behavior
        self.bodies: dict[tuple[str, str, int], int] = {}
        """How many bodies ran, by (run, task, attempt)."""
        self._faults, self._publish, self._begin = faults, publish, begin
        self._free_at = [begin] * behavior.concurrency
        self._outcomes: dict[tuple[str, str, int], State | None] = {}

    def receive(self, command: RunTask, now: float) -> None:
        """Handle a command."""
        faults, behavior = self._faults, self.behavior
        if behavior.dead[0] <= now - self._begin < behavior.dead[1]:
            faults.injected["server dead"] += 1
            return
        if now + faults.skew_s() > command.ack_by.timestamp():
            return
        begin = now + faults.uniform(0.05, 2.0)
        if behavior.concurrency:
            self._report(command, "queued", now)
            begin = max(begin, min(self._free_at))
            if begin > command.start_by.timestamp():
                return
        elif begin > command.ack_by.timestamp():
            return
        self._run_body(command, begin)

    def _run_body(self, command: RunTask, begin: float) -> None:
        faults, behavior = self._faults, self.behavior
        key = (command.run_id, command.task, command.attempt)
        self.bodies[key] = self.bodies.get(key, 0) + 1
        duration = faults.uniform(0.0, behavior.body_s)
        if faults.happens("server slow", behavior.slow):
            duration *= SLOW_FACTOR
        end = begin + duration
        if behavior.concurrency:
            self._free_at.remove(min(self._free_at))
            self._free_at.append(end)
        if key not in self._outcomes:
            self._outcomes[key] = self._draw_outcome()
        outcome = self._outcomes[key]
        self._report(command, "started", begin)
        if outcome is not None:
            self._report(command, outcome, end)
            if faults.happens("answered twice", behavior.twice):
                self._report(command, outcome, end + faults.uniform(0, 60))
        if faults.happens("server lied", behavior.lies):
            lie = faults.choice(("completed", "error", "started", "queued"))
            self._report(
                command,
                lie,
                begin + faults.uniform(0, 100),
                attempt_offset=faults.choice((0, -1, 1)),
            )

    def _draw_outcome(self) -> State | None:
        if self._faults.happens("server hung", self.behavior.hangs):
            return None
        failed = self._faults.happens("body failed", self.behavior.fails)
        return "error" if failed else "completed"

    def _report(self, command: RunTask, state: Any, at: float, *, attempt_offset: int = 0) -> None:
        attempt = max(1, command.attempt + attempt_offset)
        message_id = derived_id("TaskStateChanged", command.run_id, command.task, attempt, state)
        update = TaskStateChanged(
            meta=meta_at(at, message_id),
            server=self.name,
            run_id=command.run_id,
            task=command.task,
            attempt=attempt,
            state=state,
            output=_output(command) if state == "completed" else None,
            error=_FAILED if state == "error" else None,
        )
        self._publish(self.name, update, at)


def _output(command: RunTask) -> str:
    return command.task + (LARGE_OUTPUT if command.task[-1] in "13" else "")


_FAILED: Final = ErrorDescription(type="Oops", message="it did not work")

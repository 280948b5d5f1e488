"""Servers: simulated task servers, of every temper.

Law: a server never starts a body after `ack_by` unless it said `queued`, nor after `start_by` (section 4, rule 6); all else
may go wrong with it. What it will say of an attempt is settled when the command comes, and leaves it in its time.
"""

from collections.abc import Callable
from typing import Any, Final

from cerebro.simulator.faults import FaultInjector
from cerebro.simulator.scenario import ServerBehavior
from cordyna_core.contract.base import ErrorDescription, State, meta_at
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.state_updates import TaskStateChanged

LARGE: Final = "x" * 600
"""Larger than what is kept with a fact."""

Say = Callable[[str, TaskStateChanged, float], None]
"""(server, what, at): put it on the bus then."""


class SimulatedServer:
    """One task server; `say` puts its word on the bus."""

    def __init__(
        self, name: str, temper: ServerBehavior, luck: FaultInjector, say: Say, begin: float
    ) -> None:
        self.name, self.temper = name, temper
        self.bodies: dict[tuple[str, str, int], int] = {}
        self._luck, self._say, self._begin = luck, say, begin
        self._free_at = [begin] * temper.concurrency
        self._ends_in: dict[tuple[str, str, int], State | None] = {}

    def hear(self, command: RunTask, now: float) -> None:
        """A command came."""
        luck, temper = self._luck, self.temper
        if temper.dead[0] <= now - self._begin < temper.dead[1]:
            luck.struck["server dead"] += 1
            return
        skewed = now + luck.skew()
        if skewed > command.ack_by.timestamp():
            return
        begin = now + luck.between(0.05, 2.0)
        if temper.concurrency:
            self._speak(command, "queued", now)
            begin = max(begin, min(self._free_at))
            if begin > command.start_by.timestamp():
                return
        elif begin > command.ack_by.timestamp():
            return
        self._run(command, begin)

    def _run(self, command: RunTask, begin: float) -> None:
        luck, temper = self._luck, self.temper
        key = (command.run_id, command.task, command.attempt)
        self.bodies[key] = self.bodies.get(key, 0) + 1
        end = begin + luck.between(0.0, temper.body_s) * (
            60.0 if luck.strikes("server slow", temper.slow) else 1.0
        )
        if temper.concurrency:
            self._free_at.remove(min(self._free_at))
            self._free_at.append(end)
        if key not in self._ends_in:
            self._ends_in[key] = self._fate()
        fate = self._ends_in[key]
        self._speak(command, "started", begin)
        if fate is not None:
            self._speak(command, fate, end)
            if luck.strikes("answered twice", temper.twice):
                self._speak(command, fate, end + luck.between(0, 60))
        if luck.strikes("server lied", temper.lies):
            lie = luck.choice(("completed", "error", "started", "queued"))
            self._speak(
                command, lie, begin + luck.between(0, 100), as_if=luck.choice(("", "late", "next"))
            )

    def _fate(self) -> State | None:
        if self._luck.strikes("server hung", self.temper.hangs):
            return None
        return "error" if self._luck.strikes("body failed", self.temper.fails) else "completed"

    def _speak(self, command: RunTask, state: Any, at: float, *, as_if: str = "") -> None:
        attempt = command.attempt
        if as_if:
            attempt = attempt + 1 if as_if == "next" else max(1, attempt - 1)
        message_id = derived_id("TaskStateChanged", command.run_id, command.task, attempt, state)
        update = TaskStateChanged(
            meta=meta_at(at, message_id),
            server=self.name,
            run_id=command.run_id,
            task=command.task,
            attempt=attempt,
            state=state,
            output=self._output(command) if state == "completed" else None,
            error=_FAILED if state == "error" else None,
        )
        self._say(self.name, update, at)

    def _output(self, command: RunTask) -> str:
        return command.task + (LARGE if command.task[-1] in "13" else "")


_FAILED: Final = ErrorDescription(type="Oops", message="it did not work")

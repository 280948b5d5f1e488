"""Crashing: a driver whose handlers crash once, after a number of effects of the whole history."""

from dataclasses import replace
from typing import Any, cast

from cerebro.core.effects import Program
from cerebro.handlers.receive import program_of
from cerebro.shell import PERFORM
from cerebro.simulator.parts.cached_facts import CachedFacts
from cordyna_core.contract.commands import RunTask
from world.declarations import declared
from world.reactions import Reactions
from world.world import Delivered, World


class CrashingReactions(Reactions):
    """Implements the driver of a world; its store answers completed facts from a cache.

    The message whose handler crashes is delivered again at once, behind what waits already.
    `effects` counts what was performed.
    """

    def __init__(self, crash_after: int) -> None:
        super().__init__()
        self.crash_after, self.effects = crash_after, 0
        self.ports = replace(self.ports, store=cast(Any, CachedFacts(self.store)))

    def handle(self, message: Delivered) -> None:
        program = program_of(message)
        if program is not None and not self._performed(program):
            self._to_itself.append(cast(Any, message))
        while self._to_itself:
            self.handle(self._to_itself.pop(0))

    def _performed(self, program: Program) -> bool:
        """Perform a program. Returns whether it came to its end."""
        answer: Any = None
        while True:
            try:
                effect = program.send(answer)
            except StopIteration:
                return True
            if self.effects == self.crash_after:
                self.effects += 1
                program.close()
                return False
            self.effects += 1
            answer = PERFORM[type(effect)](self.ports, effect)


class CrashingWorld(World[CrashingReactions]):
    """A world with servers that answer each new command as `replies` says, else complete it.

    `replies`: the states that are reported for (task, attempt), in order.
    """

    def __init__(
        self,
        tasks: str,
        replies: dict[tuple[str, int], tuple[str, ...]],
        *,
        crash_after: int = -1,
        **fields: Any,
    ) -> None:
        super().__init__(CrashingReactions(crash_after))
        # The declaration is not what is tested.
        self.driver.effects, self.driver.crash_after = -10_000, -1
        self.publish(declared("s", tasks, **fields), "cordyna.server.s")
        self.driver.effects, self.driver.crash_after = 0, crash_after
        self._replies = replies
        self._answered: set[tuple[str, int]] = set()

    def serve(self, seconds: float) -> None:
        """Let servers answer and time pass, a second at a time."""
        until = self.now + seconds
        while True:
            while self._answer():
                pass
            if self.now >= until:
                return
            self.after(1)

    def _answer(self) -> bool:
        """Answer what was sent and not answered. Returns whether there was anything."""
        new = [command for command in self.commands if _key(command) not in self._answered]
        for command in new:
            key = _key(command)
            if key in self._answered:
                continue
            self._answered.add(key)
            for state in self._replies.get(key, ("started", "completed")):
                fields = {"output": f"{command.task}{command.attempt}"}
                self.report(
                    command.task,
                    state,
                    attempt=command.attempt,
                    **(fields if state == "completed" else {}),
                )
        return bool(new)


def _key(command: RunTask) -> tuple[str, int]:
    return command.task, command.attempt

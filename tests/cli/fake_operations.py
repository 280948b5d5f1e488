"""Operations that record what they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cli.fake_engine import FakeEngine
from cordyna_cli.operations import DeadLetterQueue, Finding
from cordyna_core.errors import NotFound


@dataclass
class FakeOperations:
    findings: Sequence[Finding] = ()
    letters: Sequence[DeadLetterQueue] = ()
    resting: list[str] = field(default_factory=list)
    redriven: list[str] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    missing: tuple[str, ...] = ()

    def examine(self) -> Sequence[Finding]:
        return self.findings

    def dead_letters(self) -> Sequence[DeadLetterQueue]:
        return self.letters

    def redrive(self, name: str) -> int:
        self.redriven.append(name)
        return 3

    def require_queue(self, name: str) -> None:
        if name in self.missing:
            raise NotFound(f'there is no dead-letter queue "{name}".')

    def purge(self, name: str) -> int:
        self.purged.append(name)
        return 2

    def paused(self) -> Sequence[str]:
        return self.resting

    def pause(self, task: str, *, on: bool) -> None:
        self.resting = (
            [*self.resting, task] if on else [other for other in self.resting if other != task]
        )


@dataclass
class CloudEngine(FakeEngine):
    operations: FakeOperations = field(default_factory=FakeOperations)

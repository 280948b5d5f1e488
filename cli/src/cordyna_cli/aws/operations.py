"""AWS operations: implements `Operations` for a cerebro in the cloud.

Invariant: it reads, and moves messages and schedules; it never writes cerebro's state.
"""

from collections.abc import Collection, Sequence

from cordyna_cli.aws.aws_session import AwsSession
from cordyna_cli.aws.dead_letters import DeadLetters
from cordyna_cli.aws.discovery import CerebroLocation
from cordyna_cli.aws.health_checks import HealthChecks
from cordyna_cli.aws.queries import QueryClient
from cordyna_cli.aws.schedules import CronSchedules
from cordyna_cli.operations import DeadLetterQueue, Finding
from cordyna_core.errors import UserError
from cordyna_core.ports import Clock


class AwsOperations:
    """Implements `Operations`."""

    def __init__(
        self, session: AwsSession, location: CerebroLocation, queries: QueryClient, clock: Clock
    ) -> None:
        self._dead_letters = DeadLetters(session, location, queries)
        self._schedules = CronSchedules(session, location.schedule_group or location.bus)
        self._checks = HealthChecks(session, location, queries, self._dead_letters, clock)

    def examine(self) -> Sequence[Finding]:
        return self._checks.run()

    def dead_letters(self) -> Sequence[DeadLetterQueue]:
        return self._dead_letters.queues()

    def redrive(self, name: str, ids: Collection[str] = ()) -> int:
        if ids:
            raise UserError(
                "letters of a queue on AWS cannot be put back one by one.",
                why="SQS moves a queue as a whole",
                next=f"dyna dlq redrive {name}",
            )
        return self._dead_letters.redrive(name)

    def require_queue(self, name: str) -> None:
        self._dead_letters.require_queue(name)

    def purge(self, name: str) -> int:
        return self._dead_letters.purge(name)

    def paused(self) -> Sequence[str]:
        return self._schedules.paused()

    def pause(self, task: str, *, on: bool) -> None:
        self._schedules.pause(task, on=on)

"""AWS engine: what `dyna` talks to when cerebro is in the cloud (or in an emulator of it).

Law: it commands by events (`cloud_commands`) and learns by asking, as anybody could: cerebro's query function, and the logs.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import Final, Self

from cordyna_cli.aws.aws_session import AwsSession
from cordyna_cli.aws.commands import FIRST_PAUSE_S, LONGEST_PAUSE_S, AwsCommands, opened
from cordyna_cli.aws.discovery import CerebroLocation, find_cerebro
from cordyna_cli.aws.logs import passed, printed
from cordyna_cli.aws.operations import AwsOperations
from cordyna_cli.aws.queries import QueryClient
from cordyna_cli.engine import EngineOptions, Invoked, Refused
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.state_updates import RunStateChanged
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.rehearsal import RehearsalView
from cordyna_core.contract.views.replay import ReplayView
from cordyna_core.contract.views.runs import LogLine, PassedEvent, RunSummary, RunView
from cordyna_core.errors import ServiceError, UserError
from cordyna_core.ports import Clock

SHARE: Final = 4
"""Of the time, asking takes at most one part in so many.

A run of 100,000 tasks is asked about less often.
"""

DAY_S: Final = 24 * 3600.0


def open_engine(options: EngineOptions) -> "AwsEngine":
    """The engine of the cerebro that was named, or of the only one there. Raises UserError."""
    cloud = AwsSession(options)
    return AwsEngine(cloud, find_cerebro(cloud, options.bus))


class AwsEngine:
    """Implements the Engine port of the library."""

    def __init__(
        self,
        cloud: AwsSession,
        place: CerebroLocation,
        *,
        clock: Clock = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cloud, self._place, self._clock, self._sleep = cloud, place, clock, sleep
        self._asking = QueryClient(cloud, place.query)
        self._commands = AwsCommands(cloud, place, self._asking, clock, sleep)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @cached_property
    def operations(self) -> AwsOperations:
        """What an operator asks."""
        return AwsOperations(self._cloud, self._place, self._asking, self._clock)

    def invoke(
        self, command: InvokeTask, *, join: bool = False, wait_s: float = 30
    ) -> Invoked | Refused:
        return self._commands.invoke(command, wait_s)

    def command(self, command: CancelRun | RetryRun, *, wait_s: float = 30) -> Refused | None:
        return self._commands.command(command, wait_s)

    def send(self, lines: Sequence[str]) -> None:
        self._commands.send(lines)

    def plan(self, task: str) -> PlanView:
        return self._asking.plan(task)

    def rehearse(self, declared: Sequence[ServerDeclared]) -> RehearsalView:
        return self._asking.rehearsal(declared)

    def replay(self, run_id: str) -> ReplayView:
        raise UserError(
            f"run {run_id} cannot be replayed from here.",
            why="deciding a run once more takes cerebro's own code and every event of the run; a home on this machine has both",
            next=f"dyna timeline {run_id}   (what cerebro itself knows)",
        )

    def run(self, run_id: str) -> RunView:
        return self._asking.run(run_id)[0]

    def follow(self, run_id: str, *, timeout_s: float | None = None) -> Iterator[RunView]:
        until = None if timeout_s is None else self._clock() + timeout_s
        seen: RunView | None = None
        pause = FIRST_PAUSE_S
        while True:
            asked_at = self._clock()
            view = self.run(run_id)
            took = self._clock() - asked_at
            if view != seen:
                yield view
                pause = FIRST_PAUSE_S
            if view.is_final or (until is not None and self._clock() >= until):
                return
            seen = view
            self._pause(max(pause, took * (SHARE - 1)), until)
            pause = min(pause * 1.3, LONGEST_PAUSE_S)

    def runs(self, limit: int = 20) -> list[RunSummary]:
        return self._asking.runs(limit)

    def tasks(self) -> list[TaskInfo]:
        return self._asking.tasks()

    def servers(self) -> list[ServerInfo]:
        return self._asking.servers()

    def events(self, run_id: str | None = None, *, after: int = 0) -> list[PassedEvent]:
        """Of a run: since it was asked for; else of the last day.

        Raises ServiceError where the bus has no log, or an empty one.
        """
        if run_id is None:
            texts = passed(self._cloud, self._place.events_log, None, self._ms(-DAY_S))
        else:
            since = self._created_ms(run_id)
            texts = passed(self._cloud, self._place.events_log, run_id, since)
            # What asked for the run does not name it yet.
            texts = [*self._commands_before(texts, since), *texts]
        if not texts and run_id is not None:
            raise ServiceError(
                "the log of the bus holds nothing of this run.",
                why="it is written some seconds late; an emulator may not write it at all, and retention may have taken it",
                next=f"dyna timeline {run_id}   (what cerebro itself knows)",
            )
        return [PassedEvent(seq=seq, text=text) for seq, text in enumerate(texts, 1) if seq > after]

    def logs(self, run_id: str, task: str | None = None) -> list[LogLine]:
        view = self.run(run_id)
        servers = sorted({each.server for each in view.tasks if task in (None, each.task)})
        since = self._created_ms(run_id)
        lines = [
            line
            for server in servers
            for line in printed(self._cloud, server, run_id, since)
            if task in (None, line.task)
        ]
        return sorted(lines, key=lambda line: line.at)

    def dev(self, *, since: datetime | None = None) -> Iterator[PassedEvent]:
        """Every event as the log of the bus shows it, some seconds after it passed.

        What drives the runs is in the cloud.
        """
        from_ms = self._ms(0) if since is None else int(since.timestamp() * 1000)
        seen: set[str] = set()
        seq = 0
        while True:
            for text in passed(self._cloud, self._place.events_log, None, from_ms):
                if text not in seen:
                    seen.add(text)
                    seq += 1
                    yield PassedEvent(seq=seq, text=text)
            self._sleep(LONGEST_PAUSE_S)

    def _commands_before(self, texts: Sequence[str], since_ms: int) -> list[str]:
        for text in texts:
            message = opened(text)
            if (
                isinstance(message, RunStateChanged)
                and message.meta is not None
                and message.meta.cause is not None
            ):
                asked = passed(self._cloud, self._place.events_log, message.meta.cause, since_ms)
                return [each for each in asked if isinstance(opened(each), InvokeTask)]
        return []

    def _pause(self, seconds: float, until: float | None) -> None:
        self._sleep(seconds if until is None else max(0.0, min(seconds, until - self._clock())))

    def _created_ms(self, run_id: str) -> int:
        created = self.run(run_id).created_at
        # What asked for it passed some moments before.
        return self._ms(-DAY_S) if created is None else int(created.timestamp() * 1000) - 60_000

    def _ms(self, later_s: float) -> int:
        return int((self._clock() + later_s) * 1000)

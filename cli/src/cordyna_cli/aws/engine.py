"""AWS engine: the engine of `dyna` for a cerebro in the cloud, or in an emulator.

Invariant: it sends events (`commands`), and reads cerebro's query function and the logs, as any
client could.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import Final, Self

from cordyna_cli.aws.aws_session import AwsSession
from cordyna_cli.aws.commands import (
    POLL_INTERVAL_MAX_S,
    POLL_INTERVAL_MIN_S,
    AwsCommands,
    client_source,
    parse_event,
)
from cordyna_cli.aws.discovery import CerebroLocation, find_cerebro
from cordyna_cli.aws.logs import logged_events, task_output
from cordyna_cli.aws.operations import AwsOperations
from cordyna_cli.aws.queries import QueryClient
from cordyna_cli.engine import DriverInfo, EngineLocation, EngineOptions, Invoked, Refused
from cordyna_core.aws.deployed_names import deployed_name
from cordyna_core.contract.commands import CancelRun, InvokeTask, RemoveServer, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.incidents import SnoozeIncident
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.query_api import CerebroInfo
from cordyna_core.contract.state_updates import RunStateChanged
from cordyna_core.contract.views.facts import RunFacts, RunStructure, TaskRunFacts
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.incidents import IncidentView
from cordyna_core.contract.views.rehearsal import RehearsalView
from cordyna_core.contract.views.replay import ReplayView
from cordyna_core.contract.views.runs import LogLine, PassedEvent, RunCriteria, RunSummary, RunView
from cordyna_core.errors import ServiceError, UserError
from cordyna_core.ports import Clock

POLL_DUTY_DIVISOR: Final = 4
"""Polling takes at most this part of the time: a large run is polled less often."""

STAY_UP_INTERVAL_S: Final = 0.5
DAY_S: Final = 24 * 3600.0

LOG_DELAY_S: Final = 5.0
"""CloudWatch Logs shows a line some seconds after it was written."""


def open_engine(options: EngineOptions) -> "AwsEngine":
    """Open the engine of the named cerebro, or of the only one. Raises UserError."""
    session = AwsSession(options)
    location = find_cerebro(session, options.bus)
    return AwsEngine(session, location, source=client_source(options.client))


class AwsEngine:
    """Implements `Engine`."""

    def __init__(
        self,
        session: AwsSession,
        location: CerebroLocation,
        *,
        source: str = CLIENT,
        clock: Clock = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session, self._location = session, location
        self._clock, self._sleep = clock, sleep
        self._queries = QueryClient(session, location.query)
        self._commands = AwsCommands(session, location, self._queries, clock, sleep, source=source)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @property
    def drives(self) -> bool:
        """Cerebro drives runs in the cloud."""
        return False

    def driver(self) -> DriverInfo | None:
        """No process on this machine."""
        return None

    @property
    def has_live_events(self) -> bool:
        """The log of the bus is some seconds late."""
        return False

    @cached_property
    def operations(self) -> AwsOperations:
        """Implements `Operations`."""
        return AwsOperations(self._session, self._location, self._queries, self._clock)

    def invoke(
        self,
        command: InvokeTask,
        *,
        join: bool = False,
        detached: bool = False,
        wait_s: float = 30,
    ) -> Invoked | Refused:
        return self._commands.invoke(command, wait_s)

    def command(
        self,
        command: CancelRun | RetryRun | RemoveServer | SnoozeIncident,
        *,
        wait_s: float = 30,
    ) -> Refused | None:
        if isinstance(command, RemoveServer):
            return self._commands.remove_server(command, wait_s)
        if isinstance(command, SnoozeIncident):
            return self._commands.snooze(command, wait_s)
        return self._commands.command(command, wait_s)

    def driven_runs(self) -> Sequence[str]:
        return ()

    def send(self, lines: Sequence[str]) -> None:
        self._commands.send(lines)

    def plan(self, task: str, params: JsonObject | None = None) -> PlanView:
        return self._queries.plan(task, params)

    def rehearse(self, declared: Sequence[ServerDeclared]) -> RehearsalView:
        return self._queries.rehearsal(declared)

    def replay(self, run_id: str) -> ReplayView:
        raise UserError(
            f"run {run_id} cannot be replayed from here.",
            why="deciding a run again takes cerebro's own code and every event of the run; "
            "a home on this machine has both",
            next=f"dyna timeline {run_id}   (what cerebro itself knows)",
        )

    def run(self, run_id: str) -> RunView:
        return self._queries.run(run_id)[0]

    def structure(self, run_id: str) -> RunStructure:
        return self._queries.structure(run_id)

    def facts(self, run_id: str, *, since: str | None = None) -> RunFacts:
        """Return all facts each time: a reader compares them with what it has."""
        del since
        return self._queries.facts(run_id)

    def task_run(self, run_id: str, task: str) -> TaskRunFacts:
        return self._queries.task_run(run_id, task)

    def location(self) -> EngineLocation:
        return EngineLocation(name=self.where, place=f"{self._session.place}.{self._location.bus}")

    @property
    def where(self) -> str:
        """The bus, region and endpoint, for messages."""
        return f"{self._location.bus} in {self._session.where}"

    def cerebro(self) -> CerebroInfo:
        return self._queries.cerebro()

    def follow(self, run_id: str, *, timeout_s: float | None = None) -> Iterator[RunView]:
        """As the port says. The whole view is asked for each time.

        The query function keeps no reading between two questions, and the columns of its facts have
        neither the errors nor the whole timelines that are shown.
        """
        until = None if timeout_s is None else self._clock() + timeout_s
        seen: RunView | None = None
        pause = POLL_INTERVAL_MIN_S
        while True:
            polled_at = self._clock()
            view = self.run(run_id)
            took = self._clock() - polled_at
            if view != seen:
                yield view
                pause = POLL_INTERVAL_MIN_S
            if view.is_final or (until is not None and self._clock() >= until):
                return
            seen = view
            self._sleep_until(max(pause, took * (POLL_DUTY_DIVISOR - 1)), until)
            pause = min(pause * 1.3, POLL_INTERVAL_MAX_S)

    def runs(self, limit: int = 20, criteria: RunCriteria | None = None) -> list[RunSummary]:
        return self._queries.runs(limit, criteria or RunCriteria())

    def tasks(self) -> list[TaskInfo]:
        return self._queries.tasks()

    def servers(self) -> list[ServerInfo]:
        return self._queries.servers()

    def incidents(self, *, closed: bool = False) -> list[IncidentView]:
        return self._queries.incidents(closed=closed)

    def events(
        self, run_id: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> list[PassedEvent]:
        """Return the events of a run; without a run, of the last day.

        Raises ServiceError where the log of the bus has no event of the run.
        """
        if run_id is None:
            texts = logged_events(self._session, self._location.events_log, None, self._ms(-DAY_S))
        else:
            since = self._created_ms(run_id)
            texts = logged_events(self._session, self._location.events_log, run_id, since)
            # The invocation itself does not name the run yet.
            texts = [*self._commands_before(texts, since), *texts]
        if not texts and run_id is not None:
            raise ServiceError(
                "the log of the bus has no event of this run.",
                why="it is written some seconds late; an emulator may not write it at all, "
                "and its retention may have passed",
                next=f"dyna timeline {run_id}   (what cerebro itself knows)",
            )
        numbered = [PassedEvent(seq=seq, text=text) for seq, text in enumerate(texts, 1)]
        return numbered[after:][:limit]

    def newest_events(self, count: int) -> list[PassedEvent]:
        return self.events()[-count:]

    def logs(self, run_id: str, task: str | None = None) -> list[LogLine]:
        plan = self.structure(run_id)
        servers = sorted(
            {
                plan.servers[server]
                for name, server in zip(plan.task, plan.server, strict=True)
                if task in (None, name)
            }
        )
        since = self._created_ms(run_id)
        lines = [
            line
            for server in servers
            for line in task_output(
                self._session, deployed_name(server, self._location.stage), run_id, since
            )
            if task in (None, line.task)
        ]
        return sorted(lines, key=lambda line: line.at)

    def iter_logs(self, run_id: str, task: str | None = None) -> Iterator[LogLine]:
        return iter(self.logs(run_id, task))

    def follow_logs(self, run_id: str, task: str | None = None) -> Iterator[Sequence[LogLine]]:
        """The log is some seconds late: it is read once more after the run has ended."""
        lines = self.logs(run_id, task)
        yield lines
        yield []
        is_final = False
        while True:
            shown, lines = len(lines), self.logs(run_id, task)
            if len(lines) > shown:
                yield lines[shown:]
            if is_final:
                return
            is_final = self.run(run_id).is_final
            self._sleep(LOG_DELAY_S if is_final else POLL_INTERVAL_MAX_S)

    def stay_up(self, is_over: Callable[[], bool]) -> None:
        """Only wait: what drives the runs is in the cloud."""
        while not is_over():
            self._sleep(STAY_UP_INTERVAL_S)

    def dev(self, *, since: datetime | None = None) -> Iterator[PassedEvent]:
        """Yield every event as the log of the bus shows it, some seconds late.

        Runs are driven in the cloud.
        """
        from_ms = self._ms(0) if since is None else int(since.timestamp() * 1000)
        seen: set[str] = set()
        seq = 0
        while True:
            for text in logged_events(self._session, self._location.events_log, None, from_ms):
                if text not in seen:
                    seen.add(text)
                    seq += 1
                    yield PassedEvent(seq=seq, text=text)
            self._sleep(POLL_INTERVAL_MAX_S)

    def _commands_before(self, texts: Sequence[str], since_ms: int) -> list[str]:
        for text in texts:
            message = parse_event(text)
            if (
                isinstance(message, RunStateChanged)
                and message.meta is not None
                and message.meta.cause is not None
            ):
                commands = logged_events(
                    self._session, self._location.events_log, message.meta.cause, since_ms
                )
                return [text for text in commands if isinstance(parse_event(text), InvokeTask)]
        return []

    def _sleep_until(self, seconds: float, until: float | None) -> None:
        self._sleep(seconds if until is None else max(0.0, min(seconds, until - self._clock())))

    def _created_ms(self, run_id: str) -> int:
        created = self.run(run_id).created_at
        # The invocation passed shortly before.
        return self._ms(-DAY_S) if created is None else int(created.timestamp() * 1000) - 60_000

    def _ms(self, later_s: float) -> int:
        return int((self._clock() + later_s) * 1000)

"""An engine that holds views in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from cerebro.handlers.queries import matches
from cli.run_builders import RUN, T0
from cordyna_cli.engine import DriverInfo, EngineLocation, EngineOptions, Invoked, Refused
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import CancelRun, InvokeTask, RemoveServer, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.incidents import SnoozeIncident
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.query_api import CerebroInfo
from cordyna_core.contract.views.facts import RunFacts, RunStructure, TaskRunFacts
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.incidents import IncidentView
from cordyna_core.contract.views.rehearsal import RehearsalView
from cordyna_core.contract.views.replay import ReplayView
from cordyna_core.contract.views.runs import LogLine, PassedEvent, RunCriteria, RunSummary, RunView
from cordyna_core.errors import NotFound


@dataclass
class FakeEngine:
    """Answers from what it holds, and keeps what it was result."""

    views: list[RunView] = field(default_factory=list)
    """What `follow` gives, in order; the last one is what the run is."""
    answer: Invoked | Refused = field(default_factory=lambda: Invoked(RUN))
    refuses: Refused | None = None
    planned: PlanView = field(default_factory=lambda: PlanView(task="task-3"))
    rehearsed: RehearsalView = field(default_factory=lambda: RehearsalView(generation=1))
    declared_in_rehearsal: list[ServerDeclared] = field(default_factory=list)
    replayed: ReplayView = field(
        default_factory=lambda: ReplayView(run_id=RUN, task="task-3", heard=7, decided=5)
    )
    declared: list[TaskInfo] = field(default_factory=list)
    known_servers: list[ServerInfo] = field(default_factory=list)
    known_incidents: list[IncidentView] = field(default_factory=list)
    summaries: list[RunSummary] | None = None
    passed: Sequence[PassedEvent | LogLine] = field(default_factory=list)
    printed: list[LogLine] = field(default_factory=list)
    printed_later: list[LogLine] = field(default_factory=list)
    drives: bool = True
    driven_by: DriverInfo | None = None
    has_live_events: bool = True
    fault: BaseException | None = None
    """Raised when it is entered."""
    interrupt: bool = False
    """Ctrl-C after the last view, or the last event of `dev`."""
    options: EngineOptions | None = None
    commands: list[Any] = field(default_factory=list)
    joined_with: bool | None = None
    detached: bool | None = None
    waited: float | None = None
    sent: list[str] = field(default_factory=list)
    driven: list[str] = field(default_factory=list)
    """The active runs that this process drives: one less at each question."""
    closed: bool = False

    def open(self, options: EngineOptions) -> "FakeEngine":
        self.options = options
        return self

    def __enter__(self) -> Self:
        if self.fault is not None:
            raise self.fault
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closed = True

    def invoke(
        self,
        command: InvokeTask,
        *,
        join: bool = False,
        detached: bool = False,
        wait_s: float = 30,
    ) -> Invoked | Refused:
        self.commands.append(command)
        self.joined_with, self.detached = join, detached
        return self.answer

    def command(
        self,
        command: CancelRun | RetryRun | RemoveServer | SnoozeIncident,
        *,
        wait_s: float = 30,
    ) -> Refused | None:
        self.commands.append(command)
        return self.refuses

    def incidents(self, *, closed: bool = False) -> list[IncidentView]:
        return [one for one in self.known_incidents if closed or one.state == "open"]

    def driven_runs(self) -> Sequence[str]:
        return [self.driven.pop()] if self.driven else []

    def send(self, lines: Sequence[str]) -> None:
        self.sent.extend(lines)

    def plan(self, task: str, params: JsonObject | None = None) -> PlanView:
        return self.planned

    def rehearse(self, declared: Sequence[ServerDeclared]) -> RehearsalView:
        self.declared_in_rehearsal = list(declared)
        return self.rehearsed

    def replay(self, run_id: str) -> ReplayView:
        self.run(run_id)
        return self.replayed

    def run(self, run_id: str) -> RunView:
        for view in reversed(self.views):
            if view.run_id == run_id:
                return view
        raise NotFound(f"there is no run {run_id}.", next="`dyna runs` lists the newest")

    def structure(self, run_id: str) -> RunStructure:
        raise AssertionError("the command line reads runs, not structures")

    def facts(self, run_id: str, *, since: str | None = None) -> RunFacts:
        raise AssertionError("the command line reads runs, not facts")

    def task_run(self, run_id: str, task: str) -> TaskRunFacts:
        raise AssertionError("the command line reads runs, not task runs")

    def iter_logs(self, run_id: str, task: str | None = None) -> Iterator[LogLine]:
        return iter(self.logs(run_id, task))

    def follow_logs(self, run_id: str, task: str | None = None) -> Iterator[Sequence[LogLine]]:
        yield self.logs(run_id, task)
        yield []
        for line in self.printed_later:
            yield [line]

    def driver(self) -> DriverInfo | None:
        return self.driven_by

    def location(self) -> EngineLocation:
        return EngineLocation(name="in memory")

    def cerebro(self) -> CerebroInfo:
        raise AssertionError("the command line does not ask for the cerebro")

    def follow(self, run_id: str, *, timeout_s: float | None = None) -> Iterator[RunView]:
        self.waited = timeout_s
        yield from self.views
        if self.interrupt:
            raise KeyboardInterrupt

    def runs(self, limit: int = 20, criteria: RunCriteria | None = None) -> list[RunSummary]:
        summaries = self.summaries
        if summaries is None:
            summaries = [
                RunSummary(
                    run_id=v.run_id, task=v.task, state=v.state, created_at=v.created_at or T0
                )
                for v in self.views[-1:]
            ]
        wanted = criteria or RunCriteria()
        return [run for run in summaries if matches(run, wanted)][:limit]

    def tasks(self) -> list[TaskInfo]:
        return self.declared

    def servers(self) -> list[ServerInfo]:
        return self.known_servers

    def events(
        self, run_id: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> list[PassedEvent]:
        return [
            event
            for event in self.passed
            if isinstance(event, PassedEvent)
            and event.seq > after
            and (run_id is None or run_id in event.text)
        ][:limit]

    def newest_events(self, count: int) -> list[PassedEvent]:
        return self.events()[-count:]

    def logs(self, run_id: str, task: str | None = None) -> list[LogLine]:
        return [line for line in self.printed if task in (None, line.task)]

    def stay_up(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            pass

    def dev(self, *, since: datetime | None = None) -> Iterator[PassedEvent | LogLine]:
        yield from self.passed
        if self.interrupt:
            raise KeyboardInterrupt


def refused(code: str, message: str, path: list[str] | None = None) -> Refused:
    return Refused("task-3", (Problem(code=code, message=message, path=path),))

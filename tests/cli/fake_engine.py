"""An engine that holds views in memory, and builders that make a scenario one line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from cordyna_cli.engine import EngineOptions, Invoked, Refused
from cordyna_core.contract.base import ErrorDescription, Problem, RootCause
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.rehearsal import RehearsalView
from cordyna_core.contract.views.replay import ReplayView
from cordyna_core.contract.views.runs import (
    LogLine,
    PassedEvent,
    RunSummary,
    RunView,
    TaskView,
    TimelineEntryView,
)
from cordyna_core.errors import NotFound

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = run_id_of("task-3", "a key")
SERVERS = ("a", "b", "c")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def a_task(
    name: str,
    up: str = "",
    said: str = "",
    *,
    server: str = "server-a",
    blocked_by: str = "",
    **more: Any,
) -> TaskView:
    """`said` is what the timeline holds: `dispatched@0 started@0.5 error:failed@2 started/2@3`."""
    timeline = [_entry(word, server) for word in said.split()]
    standing: dict[str, Any] = {
        "state": "pending",
        "reason": "blocked" if blocked_by else "waiting",
    }
    if timeline:
        last = timeline[-1]
        standing = {"state": last.state, "reason": last.reason, "attempt": last.attempt}
    return TaskView(
        task=name,
        server=server,
        upstream=up.split(),
        timeline=timeline,
        blocked_by=blocked_by.split(),
        **{"error": _error(timeline), **standing, **more},
    )


def _entry(word: str, server: str) -> TimelineEntryView:
    what, _, when = word.partition("@")
    what, _, attempt = what.partition("/")
    state, _, reason = what.partition(":")
    if state in ("dispatched", "retry_wait"):
        state, reason = "pending", state
    by = (
        "cordyna.cerebro"
        if state == "pending" or reason.endswith("timeout") or reason == "cancelled"
        else f"cordyna.server.{server}"
    )
    return TimelineEntryView(
        state=state, reason=reason or None, at=at(float(when)), by=by, attempt=int(attempt or 1)
    )


def _error(timeline: Sequence[TimelineEntryView]) -> ErrorDescription | None:
    last = timeline[-1] if timeline else None
    return (
        ErrorDescription(type="ValueError", message="bad row 7")
        if last and last.reason in ("failed", "failed_terminal", "retry_wait")
        else None
    )


def a_run(*tasks: TaskView, state: str = "running", **more: Any) -> RunView:
    """The last task is the target."""
    failed = [task for task in tasks if task.state == "error" and task.reason != "cancelled"]
    causes = [
        RootCause(task=task.task, server=task.server, owner=task.owner, reason=task.reason or "")
        for task in failed
    ]
    return RunView(
        **{
            "run_id": RUN,
            "task": tasks[-1].task,
            "state": state,
            "root_causes": causes,
            "tasks": list(tasks),
            "created_at": T0,
            **more,
        }
    )


def completed_run() -> RunView:
    return a_run(
        a_task(
            "task-1", "", "dispatched@0 queued@0.1 started@0.5 completed@2.5", output={"rows": 3}
        ),
        a_task("task-2", "", "dispatched@0 started@0.2 completed@4"),
        a_task(
            "task-3",
            "task-1 task-2",
            "dispatched@4 started@4.3 completed@5",
            server="server-b",
            output={"rows": 6},
            params={"day": "monday"},
        ),
        state="completed",
    )


def failed_run() -> RunView:
    return a_run(
        a_task("extract", "", "dispatched@0 started@0.2 completed@1"),
        a_task(
            "clean",
            "extract",
            "dispatched@1 started@1.1 retry_wait@2 dispatched/2@4 started/2@4.2 error:failed/2@5",
            owner="team-a",
        ),
        a_task("load", "clean", server="server-b", blocked_by="clean"),
        a_task("report", "load extract", server="server-b", blocked_by="clean"),
        state="error",
    )


def wide_run(width: int = 298) -> RunView:
    """1 - `width` - 1 tasks, some of them at work."""
    middle = [
        a_task(f"part-{n:03d}", "root", _MIDDLE[n % 5], server=f"server-{SERVERS[n % 3]}")
        for n in range(width)
    ]
    return a_run(
        a_task("root", "", "dispatched@0 started@0.1 completed@1"),
        *middle,
        a_task("sink", " ".join(task.task for task in middle), server="server-b"),
    )


_MIDDLE = (
    "dispatched@1 started@2 completed@3",
    "dispatched@1 started@2",
    "dispatched@1 queued@2",
    "dispatched@1",
    "dispatched@1 started@2 completed@4",
)


def chain_run(length: int = 300, at_work: int = 150) -> RunView:
    """A chain, of which the tasks below `at_work` have completed."""

    def said(n: int) -> str:
        return (
            f"dispatched@{n} started@{n} completed@{n + 1}"
            if n < at_work
            else f"dispatched@{n} started@{n}"
            if n == at_work
            else ""
        )

    return a_run(
        *(a_task(f"link-{n:03d}", f"link-{n - 1:03d}" if n else "", said(n)) for n in range(length))
    )


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
    summaries: list[RunSummary] | None = None
    passed: list[PassedEvent] = field(default_factory=list)
    printed: list[LogLine] = field(default_factory=list)
    fault: BaseException | None = None
    """Raised by whatever is asked first."""
    interrupt: bool = False
    """Ctrl-C after the last view, or the last event of `dev`."""
    options: EngineOptions | None = None
    commands: list[Any] = field(default_factory=list)
    joined_with: bool | None = None
    waited: float | None = None
    sent: list[str] = field(default_factory=list)
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
        self, command: InvokeTask, *, join: bool = False, wait_s: float = 30
    ) -> Invoked | Refused:
        self.commands.append(command)
        self.joined_with = join
        return self.answer

    def command(self, command: CancelRun | RetryRun, *, wait_s: float = 30) -> Refused | None:
        self.commands.append(command)
        return self.refuses

    def send(self, lines: Sequence[str]) -> None:
        self.sent.extend(lines)

    def plan(self, task: str) -> PlanView:
        return self.planned

    def rehearse(self, declared: Sequence[ServerDeclared]) -> RehearsalView:
        self.declared_in_rehearsal = list(declared)
        return self.rehearsed

    def replay(self, run_id: str) -> ReplayView:
        self.run(run_id)
        return self.replayed

    def run(self, run_id: str) -> RunView:
        if not self.views or self.views[-1].run_id != run_id:
            raise NotFound(f"there is no run {run_id}.", next="`dyna runs` lists the newest")
        return self.views[-1]

    def follow(self, run_id: str, *, timeout_s: float | None = None) -> Iterator[RunView]:
        self.waited = timeout_s
        yield from self.views
        if self.interrupt:
            raise KeyboardInterrupt

    def runs(self, limit: int = 20) -> list[RunSummary]:
        if self.summaries is not None:
            return self.summaries[:limit]
        return [
            RunSummary(run_id=v.run_id, task=v.task, state=v.state, created_at=v.created_at or T0)
            for v in self.views[-1:]
        ]

    def tasks(self) -> list[TaskInfo]:
        return self.declared

    def servers(self) -> list[ServerInfo]:
        return self.known_servers

    def events(self, run_id: str | None = None, *, after: int = 0) -> list[PassedEvent]:
        return [
            event
            for event in self.passed
            if event.seq > after and (run_id is None or run_id in event.text)
        ]

    def logs(self, run_id: str, task: str | None = None) -> list[LogLine]:
        return [line for line in self.printed if task in (None, line.task)]

    def dev(self, *, since: datetime | None = None) -> Iterator[PassedEvent]:
        yield from self.passed
        if self.interrupt:
            raise KeyboardInterrupt


def refused(code: str, message: str, path: list[str] | None = None) -> Refused:
    return Refused("task-3", (Problem(code=code, message=message, path=path),))

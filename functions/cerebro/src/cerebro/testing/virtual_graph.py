"""Virtual graph: cerebro and real task servers in one process, in virtual time.

What `cordyna_core.testing.run_graph` runs. Cerebro is the message loop of the embedded engine on a
home in memory; bodies are called where they would begin to run.

Invariant: time passes only in `advance` and while a run is followed, and from one due moment to the
next. So a test is as fast as its bodies, and the same each time.
"""

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from cerebro.core.cron.schedule import next_after
from cerebro.core.run.invoke import tick_key
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import MemoryHome
from cerebro.handlers import queries
from cordyna_core.contract.base import Message, Problem, meta_at
from cordyna_core.contract.commands import (
    CancelRun,
    CancelTask,
    Command,
    InvokeTask,
    RetryRun,
    RunTask,
)
from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.contract.envelope import open_envelope, seal
from cordyna_core.contract.ids import CLIENT, SCHEDULER, run_id_of, server_source
from cordyna_core.contract.state_updates import InvocationRejected
from cordyna_core.contract.time import Instant, utc
from cordyna_core.errors import Refusal, UserError
from cordyna_core.graph_testing import GraphRun
from cordyna_core.server.options import Duration, seconds_of
from cordyna_core.server.task_server import TaskServer
from cordyna_core.testing import RecordingBus

_MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(Instant)

SETTLE_STEPS_MAX: Final = 1_000_000
"""Steps at one moment: more are a body that invokes itself without end."""


class InMemoryGraph:
    """Implements cordyna_core.graph_testing.VirtualGraph."""

    def __init__(
        self,
        servers: Sequence[TaskServer],
        *,
        at: datetime | str,
        dead: set[str],
        late: dict[str, Duration],
        lasts: dict[str, Duration],
        crons: Collection[str] | None,
    ) -> None:
        self.dead, self.late, self.lasts = dead, late, lasts
        self._servers = _by_name(servers)
        self._now = _instant(at).timestamp()
        self._home = MemoryHome(lambda: self._now)
        self._loop = MessageLoop(self._home, lambda: self._now, to_server=self._receive)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[tuple[str, str, int]] = set()
        self._number = count(1)
        self._declare()
        _require_known("late", late, self._tasks())
        _require_known("lasts", lasts, self._tasks())
        _require_known("dead", dead, self._servers)
        _require_known("crons", crons or (), self._tasks())
        if crons is not None:
            self._loop.crons.limit_to(crons, self._now)
        self._crons = crons

    # --- what a test does -------------------------------------------------------------------------
    @property
    def now(self) -> datetime:
        return utc(self._now)

    def invoke(
        self,
        task: str,
        params: Mapping[str, Any] | None = None,
        *,
        within: Duration = "30d",
        **more: Any,
    ) -> GraphRun:
        command = _invocation(task, {**_checked_params(params), **more})
        event_id = f"invocation-{next(self._number)}"
        self._send(command, event_id)
        refused = self._refusal_of(event_id)
        if refused:
            raise Refusal(
                f'task "{task}" is refused',
                refused,
                why="\n".join(problem.message for problem in refused),
            )
        return self._followed(run_id_of(task, event_id), within)

    def next_tick(self, task: str, *, within: Duration = "30d") -> GraphRun:
        declared = self._tasks().get(task)
        if declared is None or declared.cron is None:
            known = ", ".join(name for name, other in self._tasks().items() if other.cron) or "none"
            raise UserError(f'task "{task}" has no cron', next=f"use one that has: {known}")
        if self._crons is not None and task not in self._crons:
            raise UserError(
                f'the cron of "{task}" does not fire in this graph',
                next="add it to crons=[...], or leave out crons",
            )
        self._loop.start_crons()
        nominal = next_after(declared.cron, declared.timezone, self._now)
        self._pass_time(nominal)
        run_id = run_id_of(task, tick_key(nominal), SCHEDULER)
        if self._home.store.read_run(run_id) is None:
            raise UserError(
                f'the tick of "{task}" at {utc(nominal).isoformat()} started no run',
                why="; ".join(problem.message for problem in self._last_refusal()),
            )
        return self._followed(run_id, within)

    def advance(self, by: Duration) -> None:
        self._loop.start_crons()
        self._pass_time(self._now + seconds_of(by))

    def cancel(self, run: GraphRun) -> GraphRun:
        return self._commanded(CancelRun(run_id=run.view.run_id))

    def retry(self, run: GraphRun, *tasks: str) -> GraphRun:
        return self._commanded(RetryRun(run_id=run.view.run_id, from_=list(tasks)))

    def _commanded(self, command: CancelRun | RetryRun) -> GraphRun:
        event_id = f"command-{next(self._number)}"
        self._send(command, event_id)
        refused = self._refusal_of(event_id)
        if refused:
            what = f"{type(command).__name__} is refused"
            raise Refusal(what, refused, why="\n".join(problem.message for problem in refused))
        return self._followed(command.run_id, "30d")

    # --- time -------------------------------------------------------------------------------------
    def _settle(self) -> None:
        """Let everything happen that happens without time passing."""
        for _ in range(SETTLE_STEPS_MAX):
            if self._loop.step():
                continue
            if not self._due or self._due[0][0] > self._now:
                return
            heapq.heappop(self._due)[2]()
        raise UserError(
            f"more than {SETTLE_STEPS_MAX:,} steps at one moment",
            next="look for a body that invokes itself, or tasks that invoke each other",
        )

    def _next_due(self) -> float | None:
        moments = [moment for moment in (self._loop.next_due(),) if moment is not None]
        moments += [entry[0] for entry in self._due[:1]]
        return min(moments, default=None)

    def _pass_time(self, until: float, *, is_over: Callable[[], bool] = lambda: False) -> None:
        self._settle()
        while not is_over() and (due := self._next_due()) is not None and due <= until:
            self._now = max(self._now, due)
            self._settle()
        if not is_over():
            self._now = max(self._now, until)
            self._settle()

    def _followed(self, run_id: str, within: Duration) -> GraphRun:
        def is_over() -> bool:
            run = self._home.store.read_run(run_id)
            return run is not None and run.is_over

        self._pass_time(self._now + seconds_of(within), is_over=is_over)
        view = queries.run(self._home.store, run_id)
        events = [
            open_envelope(passed.text).message for passed in self._home.event_log.events(run_id, 0)
        ]
        began_at = view.created_at or self.now
        return GraphRun(view=view, began_at=began_at, ended_at=self.now, events=tuple(events))

    # --- the servers ------------------------------------------------------------------------------
    def _declare(self) -> None:
        events = []
        for name, server in self._servers.items():
            declaration = server.declaration
            meta = meta_at(self._now, f"declared-{name}")
            dated = declaration.model_copy(update={"meta": meta})
            events.append(seal(dated, server_source(name), f"declared-{name}", self.now))
        problems = self._loop.declare(events)
        if problems:
            raise Refusal(
                "the servers cannot be declared together",
                problems,
                why="\n".join(problem.message for problem in problems),
            )

    def _tasks(self) -> dict[str, TaskDeclaration]:
        graph = self._home.store.read_graph()
        return {name: graph[name].task for name in graph}

    def _receive(self, command: Command, event: str) -> None:
        del event
        if isinstance(command, CancelTask):
            self._cancelled.add((command.run_id, command.task, command.attempt))
        if not isinstance(command, RunTask):
            return
        if command.server in self.dead or command.server not in self._servers:
            return
        # Not here: the loop would keep an error of the test's own as one of the server.
        self._schedule(self._now, lambda: self._arrive(command))

    def _arrive(self, command: RunTask) -> None:
        late_s = self._seconds(self.late, command.task)
        if late_s:
            self._schedule(self._now + late_s, lambda: self._begin(command))
        else:
            self._begin(command)

    def _begin(self, command: RunTask) -> None:
        lasts_s = self._seconds(self.lasts, command.task)
        if not lasts_s:
            self._run(command, began_at=self._now, reports_start=True)
            return
        began_at = self._now
        if began_at > command.ack_by.timestamp() or self._is_cancelled(command):
            return
        server = self._servers[command.server]
        bus = RecordingBus()
        server.start(command, bus=bus, clock=lambda: began_at)
        self._put(command.server, bus.published)
        end = began_at + lasts_s
        self._schedule(end, lambda: self._run(command, began_at=began_at, reports_start=False))

    def _run(self, command: RunTask, *, began_at: float, reports_start: bool) -> None:
        bus = RecordingBus()
        self._servers[command.server].run(
            command,
            bus=bus,
            clock=lambda: began_at,
            started=not reports_start,
            cancelled=lambda: self._is_cancelled(command),
        )
        self._put(command.server, bus.published)

    def _is_cancelled(self, command: RunTask) -> bool:
        return (command.run_id, command.task, command.attempt) in self._cancelled

    def _put(self, server: str, messages: Sequence[Message]) -> None:
        for message in messages:
            event_id = message.meta.id if message.meta is not None else None
            event_id = event_id or f"of-{server}-{next(self._number)}"
            self._loop.put(seal(message, server_source(server), event_id, self.now))

    def _schedule(self, at: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at, next(self._number), action))

    @staticmethod
    def _seconds(durations: Mapping[str, Duration], task: str) -> int:
        return seconds_of(durations.get(task, 0))

    # --- commands and answers ---------------------------------------------------------------------
    def _send(self, command: InvokeTask | CancelRun | RetryRun, event_id: str) -> None:
        dated = command.model_copy(update={"meta": meta_at(self._now, event_id)})
        self._loop.put(seal(dated, CLIENT, event_id, self.now))
        self._settle()

    def _refusals(self) -> list[InvocationRejected]:
        messages = [
            open_envelope(passed.text).message
            for passed in self._home.event_log.events(None, 0)
            if InvocationRejected.__name__ in passed.text
        ]
        return [message for message in messages if isinstance(message, InvocationRejected)]

    def _refusal_of(self, event_id: str) -> Sequence[Problem]:
        refusals = (refused for refused in self._refusals() if refused.event_id == event_id)
        return next((refused.problems for refused in refusals), ())

    def _last_refusal(self) -> Sequence[Problem]:
        refusals = self._refusals()
        return refusals[-1].problems if refusals else ()


def _by_name(servers: Sequence[TaskServer]) -> dict[str, TaskServer]:
    named: dict[str, TaskServer] = {}
    for server in servers:
        if named.setdefault(server.name, server) is not server:
            raise UserError(
                f'two servers are named "{server.name}"',
                next="give one of them another name, or all tasks to one server",
            )
    return named


def _checked_params(params: object) -> Mapping[str, Any]:
    if params is None or isinstance(params, Mapping):
        return params or {}
    raise UserError(
        f"params holds {params!r:.100}, and not values by parameter",
        next='write for example {"day": "monday"}',
    )


def _invocation(task: str, params: dict[str, Any]) -> InvokeTask:
    try:
        command = InvokeTask(task=task, params=params)
        command.model_dump_json()
    except (ValidationError, PydanticSerializationError) as unfit:
        raise UserError(
            f'task "{task}" cannot be invoked with these params',
            why=unfit.errors()[0]["msg"] if isinstance(unfit, ValidationError) else str(unfit),
            next="pass what JSON can carry, by names that are texts",
        ) from unfit
    return command


def _require_known(option: str, given: Iterable[str], known: Mapping[str, object]) -> None:
    for name in given:
        if name not in known:
            raise UserError(
                f"{option} names {name!r}, which is not in the graph",
                next=f"use one of: {', '.join(known) or 'nothing: it is empty'}",
            )


def _instant(at: datetime | str) -> datetime:
    try:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
        zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return _MOMENT.validate_python(zoned)
    except (ValueError, AttributeError, OverflowError):
        raise UserError(
            f"at={at!r} is not a time at which a graph can begin",
            next="write for example at='2026-11-30T06:00:00Z'",
        ) from None

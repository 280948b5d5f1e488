"""Engine: what `dyna` talks to on a laptop. One process drives the home, the others put into its inbox and watch.

Law: whoever watches takes the session when it is free, so a run goes on as long as anybody waits for it.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cerebro.core.declaration.decide import declare_batch
from cerebro.core.declaration.diff import rehearsal
from cerebro.core.views import run_view
from cerebro.embedded.dev_server import Dev
from cerebro.embedded.operations import LocalOperations
from cerebro.embedded.replay.recording import recording_of
from cerebro.embedded.replay.replayer import replay
from cerebro.embedded.run_facts import RunFactReader
from cerebro.embedded.runtime.command_client import CommandClient
from cerebro.embedded.runtime.raw_events import with_default_id_and_time
from cerebro.embedded.runtime.session import HomeSession, each_once
from cerebro.embedded.storage.home import DEFAULT_HOME, DiskHome, MemoryHome
from cerebro.handlers import queries
from cordyna_cli.engine import EngineOptions, Invoked, Refused
from cordyna_core.contract.base import JsonObject
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.query_api import CerebroInfo
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.facts import RunFacts, RunStructure, TaskRunFacts
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.rehearsal import RehearsalView
from cordyna_core.contract.views.replay import ReplayView
from cordyna_core.contract.views.runs import LogLine, PassedEvent, RunSummary, RunView
from cordyna_core.ports import Clock
from cordyna_core.server.loading import load_server
from cordyna_core.server.task_server import TaskServer

REDRAW_S: Final = 0.1
"""A view of a run is made at most this often while it goes on."""

VIEW_SHARE: Final = 20
"""A view is made at most once in this many times the time that it takes: watching a large run does not slow it down."""

IN_MEMORY: Final = ":memory:"
"""The home that lasts as long as its process."""


def open_engine(options: EngineOptions) -> "EmbeddedEngine":
    """The engine of a home with the servers that were named. Raises UserError."""
    servers = {target: load_server(target) for target in options.servers}
    each_once(servers)
    home = (
        MemoryHome() if options.home == IN_MEMORY else DiskHome(Path(options.home or DEFAULT_HOME))
    )
    return EmbeddedEngine(
        home,
        list(servers.values()),
        targets=options.servers,
        declares=options.declares,
        whole_process=True,
    )


class EmbeddedEngine:
    """Implements the Engine port of the library."""

    def __init__(
        self,
        home: DiskHome | MemoryHome,
        servers: Sequence[TaskServer],
        *,
        targets: Sequence[str] = (),
        clock: Clock = time.time,
        declares: bool = True,
        whole_process: bool = False,
    ) -> None:
        self._home, self._clock, self._targets = home, clock, tuple(targets)
        self._names = dict(zip(targets, (server.name for server in servers), strict=False))
        self._servers = tuple(servers)
        # What is not to be declared is not served either.
        self._session = HomeSession(
            home, self._servers if declares else (), clock, whole_process=whole_process
        )
        self._client = CommandClient(self._session, clock, self._targets)
        self._facts = RunFactReader(home, self._session)

    def __enter__(self) -> Self:
        try:
            self._session.acquire_lease()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the home. What still runs is taken up by whoever opens it next."""
        self._session.release_lease()
        self._client.release_waiters()
        self._home.close()

    @property
    def drives(self) -> bool:
        """Whether this process is the one that makes the home's runs go."""
        return self._session.driver is not None

    @property
    def operations(self) -> LocalOperations:
        """What is asked of the home beside its runs."""
        return LocalOperations(self._home, self._session)

    def invoke(
        self,
        command: InvokeTask,
        *,
        join: bool = False,
        detached: bool = False,
        wait_s: float = 30,
    ) -> Invoked | Refused:
        if join and (found := self._client.find_interrupted_run(command)) is not None:
            return Invoked(found, joined=True)
        event_id = str(uuid.uuid4())
        run_id = run_id_of(command.task, command.key or event_id)
        if not detached:
            self._client.register_waiter(run_id)
        return self._client.submit_and_wait(command, event_id, wait_s) or Invoked(run_id)

    def command(self, command: CancelRun | RetryRun, *, wait_s: float = 30) -> Refused | None:
        self.run(command.run_id)
        return self._client.submit_and_wait(command, str(uuid.uuid4()), wait_s)

    def send(self, lines: Sequence[str]) -> None:
        now = utc(self._clock())
        self._session.put(
            [with_default_id_and_time(line, str(uuid.uuid4()), now) for line in lines]
        )
        if self.drives:
            self._session.wait_until(self._quiet)

    def plan(self, task: str, params: JsonObject | None = None) -> PlanView:
        with self._session.read_transaction():
            return queries.plan(self._home.store, task, params)

    def rehearse(self, declared: Sequence[ServerDeclared]) -> RehearsalView:
        with self._session.read_transaction():
            graph = self._home.store.read_graph()
        # A server that was named, but was never declared here, will stand beside these.
        known = {*graph.declarations, *(each.server for each in declared)}
        beside = [server.declaration for server in self._servers if server.name not in known]
        return rehearsal(
            declare_batch([*graph.declarations.values(), *beside], graph).graph
            if beside
            else graph,
            declared,
        )

    def replay(self, run_id: str) -> ReplayView:
        with self._session.read_transaction():
            recording = recording_of(self._home, run_id)
        return replay(recording)

    def run(self, run_id: str) -> RunView:
        with self._session.read_transaction():
            standing = queries.read(self._home.store, run_id)
        # Outside the lock: the view of a large run takes longer than reading it.
        return run_view(*standing)

    def structure(self, run_id: str) -> RunStructure:
        return self._facts.structure(run_id)

    def facts(self, run_id: str, *, since: str | None = None) -> RunFacts:
        return self._facts.facts(run_id, since)

    def task_run(self, run_id: str, task: str) -> TaskRunFacts:
        return self._facts.task_run(run_id, task)

    def cerebro(self) -> CerebroInfo:
        with self._session.read_transaction():
            return queries.cerebro(self._home.store, self._clock())

    def follow(self, run_id: str, *, timeout_s: float | None = None) -> Iterator[RunView]:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            seen, began = self._session.steps, time.monotonic()
            view = self.run(run_id)
            took = time.monotonic() - began
            yield view
            if view.is_final or (until is not None and time.monotonic() >= until):
                return
            self._pause(run_id, seen, until, max(REDRAW_S, VIEW_SHARE * took))

    def _pause(self, run_id: str, seen: int, until: float | None, pause_s: float) -> None:
        """Until the run is over, or something changed and the last view is old enough to be drawn again."""
        redraw = time.monotonic() + pause_s

        def over_or_changed() -> bool | None:
            run = self._home.store.read_run(run_id)
            over = run is not None and run.is_over
            return over or (time.monotonic() >= redraw and self._session.steps != seen) or None

        self._session.wait_until(over_or_changed, until)

    def runs(self, limit: int = 20) -> list[RunSummary]:
        with self._session.read_transaction():
            return queries.runs(self._home.store, limit)

    def tasks(self) -> list[TaskInfo]:
        with self._session.read_transaction():
            return queries.tasks(self._home.store, self._clock())

    def servers(self) -> list[ServerInfo]:
        with self._session.read_transaction():
            return queries.servers(self._home.store)

    def events(self, run_id: str | None = None, *, after: int = 0) -> list[PassedEvent]:
        with self._session.read_transaction():
            return self._home.event_log.events(run_id, after)

    def logs(self, run_id: str, task: str | None = None) -> list[LogLine]:
        with self._session.read_transaction():
            return self._home.event_log.log_lines(run_id, task)

    def dead_letters(self) -> list[tuple[str, str]]:
        """What could not be handled, with the reason."""
        with self._session.read_transaction():
            return self._home.event_log.dead_letters()

    def dev(self, *, since: datetime | None = None) -> Iterator[PassedEvent]:
        return Dev(self._session, self._targets, self._names).events(
            after=0 if since is not None else self._client.last_seq()
        )

    def _quiet(self) -> bool | None:
        return self._session.driver is None or self._session.driver.is_quiet or None

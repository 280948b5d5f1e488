"""Engine: the embedded implementation of the Engine port. One process drives a home.

The other processes put commands into its inbox and read what happens.

Invariant: a process that waits for a run drives the home when no other process does, so a run
continues while any process waits for it.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from cerebro.core.declaration.decide import declare_batch
from cerebro.core.declaration.diff import rehearsal
from cerebro.embedded.bodies.host_bodies import HostBodies
from cerebro.embedded.bodies.load_servers import load_servers
from cerebro.embedded.bodies.port import Bodies, ServerLoaded
from cerebro.embedded.bodies.threads import ThreadBodies
from cerebro.embedded.bodies.worker_host import StartedServers
from cerebro.embedded.dev_server import DevServer, HomeFeed
from cerebro.embedded.log_reader import LogReader
from cerebro.embedded.operations import LocalOperations
from cerebro.embedded.replay.recording import recording_of
from cerebro.embedded.replay.replayer import replay
from cerebro.embedded.run_facts import RunFactReader
from cerebro.embedded.run_follower import RunFollower
from cerebro.embedded.runtime.clock_jump import SteadyClock
from cerebro.embedded.runtime.command_client import CommandClient
from cerebro.embedded.runtime.raw_events import with_default_id_and_time
from cerebro.embedded.runtime.session import LOAD_TIMEOUT_S, HomeSession
from cerebro.embedded.server_views import server_views
from cerebro.embedded.source_files import fingerprint_of
from cerebro.embedded.storage.driver_record import DriverRecord
from cerebro.embedded.storage.home import DiskHome, Home
from cerebro.handlers import incident_queries, queries
from cordyna_cli.engine import AlertTarget, EngineLocation, Invoked, Refused
from cordyna_core.contract.commands import CancelRun, InvokeTask, RemoveServer, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.incidents import SnoozeIncident
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.query_api import CerebroInfo
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.facts import RunFacts, RunStructure, TaskRunFacts
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.incidents import IncidentView
from cordyna_core.contract.views.rehearsal import RehearsalView
from cordyna_core.contract.views.replay import ReplayView
from cordyna_core.contract.views.runs import (
    LogLine,
    PassedEvent,
    RunCriteria,
    RunSummary,
    RunView,
)
from cordyna_core.ports import Clock
from cordyna_core.server.task_server import TaskServer
from cordyna_core.worker.spec import ServerSpec


class EmbeddedEngine:
    """Implements the Engine port.

    Args:
        servers: task servers of this process, by target; their bodies run in threads.
        specs: servers that run in processes of their own, by target; instead of `servers`.
        started: the processes of `specs`, if they were started already.
        declares: without it, opening declares nothing, and this process never drives.
        clock: UTC seconds.
        monotonic: seconds that no one sets.
    """

    def __init__(
        self,
        home: Home,
        servers: dict[str, TaskServer] | Sequence[TaskServer] = (),
        *,
        specs: dict[str, ServerSpec] | None = None,
        started: StartedServers | None = None,
        targets: Sequence[str] = (),
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        declares: bool = True,
    ) -> None:
        if not isinstance(servers, dict):
            names = targets or [server.name for server in servers]
            servers = dict(zip(names, servers, strict=True))
        self._home, self._clock = home, clock
        steady = SteadyClock(clock, monotonic)
        self._targets = tuple(specs if specs is not None else servers)
        self._started = started
        self._make_bodies: Callable[[], Bodies] = (
            (lambda: HostBodies(specs, home.bodies_lock, steady, self._started))
            if specs is not None
            else (lambda: ThreadBodies(servers, steady))
        )
        self._session = HomeSession(
            home,
            # What is not declared is not served either.
            self._targets if declares else (),
            self._make_bodies,
            fingerprint_of if specs is not None else _no_fingerprint,
            steady,
            give_back_early=started.give_back if started is not None else lambda: None,
        )
        self._client = CommandClient(self._session, steady, self._targets)
        self._runs = RunFollower(home, self._session)
        self._facts = RunFactReader(home, self._session)
        self._logs = LogReader(home, self._session)
        self._feed: HomeFeed | None = None

    def send_alerts(self, targets: Mapping[str, AlertTarget]) -> Self:
        """Send incidents to these targets, by owner, while this process drives the home."""
        self._session.alert_targets = targets
        return self

    def __enter__(self) -> Self:
        return self

    def _declare(self) -> None:
        """Declare what was named, unless another process drives.

        Only methods that show what is declared, or run tasks, need that. The others read the home
        and work even if no server loads.
        """
        self._session.acquire_lease()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop driving and close the home. The next driver resumes the active runs."""
        if self._session.is_forked:
            return  # What it has is its parent's.
        try:
            self._session.close()
            self._client.release_waiters()
        finally:
            if self._started is not None:
                self._started.close()
            self._home.close()

    @property
    def drives(self) -> bool:
        """Whether this process drives the home."""
        return self._session.driver is not None

    @property
    def has_live_events(self) -> bool:
        """Events are stored in the home."""
        return True

    @property
    def operations(self) -> LocalOperations:
        """The operations of this home."""
        return LocalOperations(self._home, self._session, self._targets)

    def driven_runs(self) -> Sequence[str]:
        with self._session.read_transaction():
            driver = self._session.driver
            return () if driver is None else driver.active_runs()

    def driver(self) -> DriverRecord | None:
        """Return the process that drives the home, or was killed while it did.

        None without a driver.
        """
        return self._home.driver()

    def location(self) -> EngineLocation:
        folder = self._home.folder if isinstance(self._home, DiskHome) else None
        return EngineLocation(name="embedded", folder=folder)

    def invoke(
        self,
        command: InvokeTask,
        *,
        join: bool = False,
        detached: bool = False,
        wait_s: float = 30,
    ) -> Invoked | Refused:
        self._declare()
        if (refused := self._client.refusal_of_unloaded(command)) is not None:
            return refused
        if join and (run_id := self._client.find_interrupted_run(command)) is not None:
            return Invoked(run_id, joined=True)
        event_id = str(uuid.uuid4())
        run_id = run_id_of(command.task, command.key or event_id)
        if not detached:
            self._client.register_waiter(run_id)
        return self._client.submit_and_wait(command, event_id, wait_s) or Invoked(run_id)

    def command(
        self,
        command: CancelRun | RetryRun | RemoveServer | SnoozeIncident,
        *,
        wait_s: float = 30,
    ) -> Refused | None:
        with self._session.read_transaction():
            if isinstance(command, CancelRun | RetryRun):
                queries.require_run(self._home.store, command.run_id)
        if isinstance(command, RetryRun):
            # What runs again must belong to the servers as they are now.
            self._declare()
        return self._client.submit_and_wait(command, str(uuid.uuid4()), wait_s)

    def send(self, lines: Sequence[str]) -> None:
        self._declare()
        now = utc(self._clock())
        self._session.put(
            [with_default_id_and_time(line, str(uuid.uuid4()), now) for line in lines]
        )
        if self.drives:
            self._session.wait_until(self._has_handled_all)

    def plan(self, task: str, params: JsonObject | None = None) -> PlanView:
        self._declare()
        with self._session.read_transaction():
            return queries.plan(self._home.store, task, params)

    def rehearse(self, declared: Sequence[ServerDeclared]) -> RehearsalView:
        with self._session.read_transaction():
            graph = self._home.store.read_graph()
        # Servers that were named, but never declared here, are part of the graph beside these.
        known = {*graph.declarations, *(declaration.server for declaration in declared)}
        added = [
            declaration
            for declaration in self._never_declared(graph.declarations)
            if declaration.server not in known
        ]
        if added:
            graph = declare_batch([*graph.declarations.values(), *added], graph).graph
        return rehearsal(graph, declared)

    def _never_declared(self, accepted: Mapping[str, ServerDeclared]) -> list[ServerDeclared]:
        with self._session.read_transaction():
            states = {target: self._home.targets.read(target) for target in self._targets}
        new = [
            target
            for target, state in states.items()
            if state is None or state.server not in accepted
        ]
        results = load_servers(self._make_bodies(), new, LOAD_TIMEOUT_S) if new else ()
        return [result.declaration for result in results if isinstance(result, ServerLoaded)]

    def replay(self, run_id: str) -> ReplayView:
        with self._session.read_transaction():
            recording = recording_of(self._home, run_id)
        return replay(recording)

    def run(self, run_id: str) -> RunView:
        return self._runs.read(run_id)

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
        return self._runs.follow(run_id, timeout_s)

    def runs(self, limit: int = 20, criteria: RunCriteria | None = None) -> list[RunSummary]:
        with self._session.read_transaction():
            return queries.runs(self._home.store, limit, criteria or queries.ANY_RUN)

    def tasks(self) -> list[TaskInfo]:
        self._declare()
        with self._session.read_transaction():
            return queries.tasks(self._home.store, self._clock())

    def servers(self) -> list[ServerInfo]:
        self._declare()
        with self._session.read_transaction():
            return server_views(self._home)

    def incidents(self, *, closed: bool = False) -> list[IncidentView]:
        with self._session.read_transaction():
            return incident_queries.incidents(self._home.store, closed=closed)

    def events(
        self, run_id: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> list[PassedEvent]:
        with self._session.read_transaction():
            return self._home.event_log.events(run_id, after, limit)

    def newest_events(self, count: int) -> list[PassedEvent]:
        with self._session.read_transaction():
            log = self._home.event_log
            return log.events(None, max(log.last_seq() - count, 0))

    def logs(self, run_id: str, task: str | None = None) -> list[LogLine]:
        return list(self.iter_logs(run_id, task))

    def iter_logs(
        self, run_id: str | None, task: str | None = None, *, after: int = 0
    ) -> Iterator[LogLine]:
        return self._logs.lines(run_id, task, after)

    def follow_logs(self, run_id: str, task: str | None = None) -> Iterator[Sequence[LogLine]]:
        return self._logs.follow(run_id, task)

    def dead_letters(self) -> list[tuple[str, str]]:
        """Return the messages that could not be handled, with their reasons."""
        with self._session.read_transaction():
            return self._home.event_log.dead_letters()

    def stay_up(self, is_over: Callable[[], bool]) -> None:
        self._declare()
        self._session.wait_until(lambda: is_over() or None)

    def dev(self, *, since: datetime | None = None) -> Iterator[PassedEvent | LogLine]:
        self._session.drive_without_servers()
        after = 0 if since is not None else self._client.last_seq()
        self._feed = HomeFeed(self._session, after)
        return DevServer(self._session, self._targets).events(self._feed)

    def drain(self, within_s: float, show: Callable[[PassedEvent | LogLine], None]) -> None:
        """Start no further attempt, and wait for those that run; end them after `within_s`.

        `show` gets what `dev` would have yielded meanwhile.
        """

        def show_page() -> None:
            if self._feed is not None:
                for item in self._feed.next_page():
                    show(item)

        self._session.drain(within_s, on_wait=show_page)
        show_page()

    def last_turn_s(self) -> float | None:
        """Return seconds since the driver's last turn; None if this process does not drive."""
        driver = self._session.driver
        if driver is None or not driver.is_started:
            return None
        return time.monotonic() - driver.last_turn_at

    def _has_handled_all(self) -> bool | None:
        return self._session.driver is None or self._session.driver.has_handled_all or None


def _no_fingerprint(target: str) -> str:
    del target
    return ""

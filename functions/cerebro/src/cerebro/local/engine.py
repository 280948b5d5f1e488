"""Engine: what `dyna` talks to on a laptop. One process drives the home, the others put into its inbox and watch.

Law: whoever watches takes the wheel when it is free, so a run goes on as long as anybody waits for it.
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cerebro.core.declare import declare_batch
from cerebro.core.explain import run_view
from cerebro.core.rehearse import rehearsal
from cerebro.handlers import query
from cerebro.local.home import DEFAULT_HOME, DiskHome, MemoryHome
from cerebro.local.operations import LocalOperations
from cerebro.local.recording import recording_of
from cerebro.local.reload import Watch
from cerebro.local.replay import replay
from cerebro.local.wheel import Wheel
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declared import ServerDeclared
from cordyna_core.contract.envelope import meta_at, open_envelope, seal, utc
from cordyna_core.contract.message import Message, Problem
from cordyna_core.contract.names import CLIENT, run_id_of
from cordyna_core.contract.state_updates import DeclarationRejected, InvocationRejected, RunStateChanged
from cordyna_core.contract.views import LogLine, PassedEvent, PlanView, RunSummary, RunView, ServerInfo, TaskInfo
from cordyna_core.contract.what_if import RehearsalView, ReplayView
from cordyna_core.errors import ServiceError, UserError
from cordyna_core.loading import load_server
from cordyna_core.ports import Clock, EngineOptions, Invoked, Refused
from cordyna_core.task_server import TaskServer

REDRAW_S: Final = 0.1
"""A view of a run is made at most this often while it goes on."""

VIEW_SHARE: Final = 20
"""A view is made at most once in this many times the time that it takes: watching a large run does not slow it down."""

LOOK_AT_FILES_S: Final = 0.5
"""How often the servers' files are looked at."""

IN_MEMORY: Final = ":memory:"
"""The home that lasts as long as its process."""


def open_engine(options: EngineOptions) -> "EmbeddedEngine":
    """The engine of a home with the servers that were named. Raises UserError."""
    servers = {target: load_server(target) for target in options.servers}
    _each_once(servers)
    home = MemoryHome() if options.home == IN_MEMORY else DiskHome(Path(options.home or DEFAULT_HOME))
    return EmbeddedEngine(home, list(servers.values()), targets=options.servers, declares=options.declares, whole_process=True)


def _each_once(servers: Mapping[str, TaskServer]) -> None:
    """Several instances of a server are one server, but two sets of tasks under one name are a mistake. Raises UserError."""
    seen: dict[str, str] = {}
    for target, server in servers.items():
        if server.name in seen and server is not servers[seen[server.name]]:
            raise UserError(
                f"{seen[server.name]} and {target} are both named {server.name!r}.",
                next="give one of them another name: TaskServer(...)",
            )
        seen.setdefault(server.name, target)


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
        self._wheel = Wheel(home, self._servers if declares else (), clock, whole_process=whole_process)
        self._waits_for: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._wheel.take()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the home. What still runs is taken up by whoever opens it next."""
        self._wheel.let_go()
        if self._waits_for:
            with self._wheel.writing():
                for run_id in self._waits_for:
                    self._home.journal.told(run_id)
            self._waits_for.clear()
        self._home.close()

    @property
    def drives(self) -> bool:
        """Whether this process is the one that makes the home's runs go."""
        return self._wheel.driver is not None

    @property
    def operations(self) -> LocalOperations:
        """What is asked of the home beside its runs."""
        return LocalOperations(self._home, self._wheel)

    def invoke(self, command: InvokeTask, *, join: bool = False, wait_s: float = 30) -> Invoked | Refused:
        if join and (found := self._interrupted(command)) is not None:
            return Invoked(found, joined=True)
        event_id = str(uuid.uuid4())
        run_id = run_id_of(command.task, command.key or event_id)
        self._wait_for(run_id)
        refused = self._ask(command, event_id, wait_s)
        return refused or Invoked(run_id)

    def command(self, command: CancelRun | RetryRun, *, wait_s: float = 30) -> Refused | None:
        self.run(command.run_id)
        return self._ask(command, str(uuid.uuid4()), wait_s)

    def send(self, lines: Sequence[str]) -> None:
        self._wheel.put(lines)
        if self.drives:
            self._wheel.wait_until(self._quiet)

    def plan(self, task: str) -> PlanView:
        with self._wheel.looking():
            return query.plan(self._home.store, task)

    def rehearse(self, declared: Sequence[ServerDeclared]) -> RehearsalView:
        with self._wheel.looking():
            graph = self._home.store.read_graph()
        # A server that was named, but was never declared here, will stand beside these.
        known = {*graph.declarations, *(each.server for each in declared)}
        beside = [server.declaration for server in self._servers if server.name not in known]
        return rehearsal(declare_batch([*graph.declarations.values(), *beside], graph).graph if beside else graph, declared)

    def replay(self, run_id: str) -> ReplayView:
        with self._wheel.looking():
            recording = recording_of(self._home, run_id)
        return replay(recording)

    def run(self, run_id: str) -> RunView:
        with self._wheel.looking():
            standing = query.read(self._home.store, run_id)
        # Outside the lock: the view of a large run takes longer than reading it.
        return run_view(*standing)

    def follow(self, run_id: str, *, timeout_s: float | None = None) -> Iterator[RunView]:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            seen, began = self._wheel.steps, time.monotonic()
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
            return over or (time.monotonic() >= redraw and self._wheel.steps != seen) or None

        self._wheel.wait_until(over_or_changed, until)

    def runs(self, limit: int = 20) -> list[RunSummary]:
        with self._wheel.looking():
            return query.runs(self._home.store, limit)

    def tasks(self) -> list[TaskInfo]:
        with self._wheel.looking():
            return query.tasks(self._home.store, self._clock())

    def servers(self) -> list[ServerInfo]:
        with self._wheel.looking():
            return query.servers(self._home.store)

    def events(self, run_id: str | None = None, *, after: int = 0) -> list[PassedEvent]:
        with self._wheel.looking():
            return self._home.journal.events(run_id, after)

    def logs(self, run_id: str, task: str | None = None) -> list[LogLine]:
        with self._wheel.looking():
            return self._home.journal.lines(run_id, task)

    def buried(self) -> list[tuple[str, str]]:
        """What could not be handled, with the reason."""
        with self._wheel.looking():
            return self._home.journal.buried()

    def dev(self, *, since: datetime | None = None) -> Iterator[PassedEvent]:
        watch = Watch(self._targets)
        after = 0 if since is not None else self._last_seq()
        while True:
            self._fire_crons()
            for event in self.events(after=after):
                after = event.seq
                yield event
            for target in watch.changed():
                self._reload(target)
            self._wheel.wait_until(partial(self._newer, after), time.monotonic() + LOOK_AT_FILES_S)

    def _fire_crons(self) -> None:
        with self._wheel.looking():
            if self._wheel.driver is not None:
                self._wheel.driver.loop.start_crons()

    def _newer(self, after: int) -> list[PassedEvent] | None:
        return self.events(after=after) or None

    def _reload(self, target: str) -> None:
        """A server's file changed. What is wrong with it is told on the bus, and the last good server stays."""
        try:
            server = load_server(target)
            self._wheel.replace(self._names[target], server)
            self._names[target] = server.name
        except UserError as wrong:
            problem = Problem(code="not_loaded", message=str(wrong))
            with self._wheel.looking():
                if self._wheel.driver is not None:
                    self._wheel.driver.loop.tell([DeclarationRejected(server=target, problems=[problem])])

    def _put(self, message: Message, event_id: str) -> str:
        now = self._clock()
        event = seal(message.model_copy(update={"meta": meta_at(now, event_id)}), CLIENT, event_id, utc(now))
        self._wheel.put([event])
        return event

    def _wait_for(self, run_id: str) -> None:
        # Noted before it is asked for: whoever is killed while waiting, and asks the same again, is told of this run.
        with self._wheel.writing():
            self._home.journal.note_waited_for(run_id)
        self._waits_for.append(run_id)

    def _ask(self, command: InvokeTask | CancelRun | RetryRun, event_id: str, wait_s: float) -> Refused | None:
        """Put a command on the bus and wait for cerebro's answer. Raises ServiceError when none comes."""
        after = self._last_seq()
        if self._wheel.is_free():
            raise UserError("no task server is named, so nobody can run anything.", next="dyna --server my.py ..., or set CORDYNA_SERVERS.")
        event = self._put(command, event_id)

        def found() -> Refused | bool | None:
            nonlocal after
            for event in self._home.journal.events(None, after):
                after = event.seq
                if event_id in event.text and (answer := answer_in(event.text, event_id)) is not None:
                    return answer
            return None

        answer = self._wheel.wait_until(found, time.monotonic() + wait_s)
        if answer is None:
            with self._wheel.writing():
                self._home.journal.take_back(event)
            raise ServiceError(
                f"cerebro has not answered within {wait_s:g} s, and the command was taken back.",
                why="" if self.drives else f"process {self._home.driver_id()} drives this home.",
                next="look whether that process is well, or ask again.",
            )
        return self._refused(answer) if isinstance(answer, Refused) else None

    def _refused(self, refused: Refused) -> Refused:
        """With a word about servers that were named here while another process serves others."""
        if self.drives or not self._targets:
            return refused
        text = f"process {self._home.driver_id()} drives this home with its own servers; those named here are served when it has ended"
        return replace(refused, problems=(*refused.problems, Problem(code="driven_by_another", message=text)))

    def _last_seq(self) -> int:
        with self._wheel.looking():
            return self._home.journal.last_seq()

    def _interrupted(self, command: InvokeTask) -> str | None:
        """A run of the same that goes on, or that ended while nobody who waited for it lived to be told."""
        with self._wheel.looking():
            store = self._home.store
            for run_id in reversed([*self._home.journal.waited_for(), *store.active_runs()]):
                run = store.read_run(run_id)
                if run is not None and (run.task, run.params) == (command.task, command.params):
                    self._waits_for.append(run_id)
                    return run_id
        return None

    def _quiet(self) -> bool | None:
        return self._wheel.driver is None or self._wheel.driver.is_quiet or None


def answer_in(text: str, event_id: str) -> Refused | bool | None:
    """What an event says about the command `event_id`: refused, taken (True), or nothing."""
    envelope = open_envelope(text)
    message = envelope.message
    if isinstance(message, InvocationRejected) and message.event_id == event_id:
        return Refused(message.task, tuple(message.problems))
    if isinstance(message, RunStateChanged) and message.meta is not None and message.meta.cause == event_id:
        return True
    return None

"""Engine: the port between `dyna` and what runs tasks: the embedded engine, or cerebro on AWS.

Invariant: the command line, the console and the client know an engine by this protocol only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import CancelRun, InvokeTask, RemoveServer, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.json_values import JsonObject

if TYPE_CHECKING:
    # Not loaded: a client that only sends commands needs no views, and making them takes 20 ms.
    from cordyna_core.contract.incidents import SnoozeIncident
    from cordyna_core.contract.query_api import CerebroInfo
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


@dataclass(frozen=True, slots=True)
class Invoked:
    """An accepted invocation: the run that it started or found.

    `joined`: that run was interrupted, and is taken up again.
    """

    run_id: str
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused command, with every problem."""

    task: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How the processes of one server are started.

    `concurrency`: attempts at the same time; None: what the server itself says. `python`: its
    interpreter, which has cordyna-core installed; None: that of the engine.
    """

    concurrency: int | None = None
    python: str | None = None
    cwd: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    isolation: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTarget:
    """Where the incidents of one owner are sent: to a webhook, or to a command.

    `webhook`: an address, or `env:NAME`, the variable that has it. `command` gets the alert on its
    standard input, and one line of it as CORDYNA_ALERT. `format`: json, slack or teams.
    """

    webhook: str | None = None
    command: str | None = None
    format: str = "json"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The options of an engine; each engine uses those that it knows.

    Without `declares`, opening the engine does not declare its servers. With `in_process`, servers
    are imported by this process and their bodies run in threads, for a debugger.
    `client`: the name under which commands are sent, which IAM may bind to a person.
    `alerts`: where incidents are sent, by owner. `known_profiles`: those of dyna, to choose from.
    `server_options` by target. `runs_tasks`: the command will run tasks, so servers may be
    started before anything else.
    """

    servers: tuple[str, ...] = ()
    declares: bool = True
    home: str | None = None
    profile: str | None = None
    known_profiles: tuple[str, ...] = ()
    region: str | None = None
    endpoint_url: str | None = None
    bus: str | None = None
    client: str | None = None
    server_options: Mapping[str, ServerOptions] = field(default_factory=dict)
    in_process: bool = False
    runs_tasks: bool = False
    alerts: Mapping[str, AlertTarget] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLocation:
    """Where the cerebro of an engine is: its name for people, and its folder if it has one.

    `place`: the account, region and bus of a cerebro on AWS, as an address can name it.
    """

    name: str
    folder: Path | None = None
    place: str | None = None

    @property
    def shown(self) -> str:
        """Where it is, for people: its folder, or its name where it has none."""
        return self.name if self.folder is None else str(self.folder)


class DriverInfo(Protocol):
    """The process that drives runs on this machine, or that was killed while it did."""

    @property
    def pid(self) -> int: ...

    @property
    def since(self) -> float:
        """UTC seconds."""
        ...

    @property
    def servers(self) -> tuple[str, ...]: ...

    @property
    def command(self) -> str: ...

    @property
    def state(self) -> Literal["running", "killed"]: ...


class Engine(AbstractContextManager["Engine"], Protocol):
    """What runs tasks, as a client sees it.

    Every method may raise UserError (NotFound, AccessError, ServiceError).
    """

    @property
    def drives(self) -> bool:
        """Whether runs proceed only while this process is up."""
        ...

    def driver(self) -> DriverInfo | None:
        """Return the process that drives runs here; None: no process does, or the cloud."""
        ...

    @property
    def has_live_events(self) -> bool:
        """Whether `events` is complete and cheap while a run is live."""
        ...

    def invoke(
        self,
        command: InvokeTask,
        *,
        join: bool = False,
        detached: bool = False,
        wait_s: float = 30,
    ) -> Invoked | Refused:
        """Put the command on the bus and wait until it is accepted or refused.

        `detached`: this process will not wait for the run's end, so the end is not kept for a
        later one.

        With `join`, an interrupted run of the same task and params is taken up instead of starting
        another.
        """
        ...

    def command(
        self,
        command: "CancelRun | RetryRun | RemoveServer | SnoozeIncident",
        *,
        wait_s: float = 30,
    ) -> Refused | None:
        """Put the command on the bus and wait until it is applied or refused."""
        ...

    def driven_runs(self) -> Sequence[str]:
        """Return the active runs that proceed only while this process is up."""
        ...

    def send(self, lines: Sequence[str]) -> None:
        """Put raw envelopes on the bus, also invalid ones; no run is waited for.

        The bus gives an id and a time to those that have none.
        """
        ...

    def plan(self, task: str, params: JsonObject | None = None) -> "PlanView":
        """Return what an invocation of `task` would run, or why it would be refused.

        With `params`, also why these would be refused.
        """
        ...

    def rehearse(self, declared: Sequence[ServerDeclared]) -> "RehearsalView":
        """Return what these declarations would change, made in this order. Nothing is declared."""
        ...

    def replay(self, run_id: str) -> "ReplayView":
        """Decide a run again from its events, and say what would go differently.

        Raises NotFound.
        """
        ...

    def run(self, run_id: str) -> "RunView":
        """Return the run with all its tasks. Raises NotFound."""
        ...

    def structure(self, run_id: str) -> "RunStructure":
        """Return what never changes about a run. Raises NotFound."""
        ...

    def facts(self, run_id: str, *, since: str | None = None) -> "RunFacts":
        """Return what changes of a run, with what explains its state. Raises NotFound.

        `since` is the `cursor` of an earlier reading: the columns may then hold only what has
        changed after it.
        """
        ...

    def task_run(self, run_id: str, task: str) -> "TaskRunFacts":
        """Return one task run with what holds it up. Raises NotFound."""
        ...

    def location(self) -> EngineLocation:
        """Return where this cerebro is."""
        ...

    def cerebro(self) -> "CerebroInfo":
        """Return version, generation and clock of the cerebro."""
        ...

    def follow(self, run_id: str, *, timeout_s: float | None = None) -> Iterator["RunView"]:
        """Yield the run after each change, until it is final or `timeout_s` has passed.

        Raises NotFound.
        """
        ...

    def runs(self, limit: int = 20, criteria: "RunCriteria | None" = None) -> list["RunSummary"]:
        """Return the newest that match, newest first. Only the newest 10,000 are searched."""
        ...

    def tasks(self) -> list["TaskInfo"]:
        """Return every declared task."""
        ...

    def servers(self) -> list["ServerInfo"]:
        """Return every server that has declared itself."""
        ...

    def incidents(self, *, closed: bool = False) -> list["IncidentView"]:
        """Return what needs an owner, the newest first; with `closed`, also what needed one."""
        ...

    def events(
        self, run_id: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> list["PassedEvent"]:
        """Return the events of a run, or all events, in the order they passed the bus.

        Only those with `seq` above `after`, and of them the first `limit`.
        """
        ...

    def newest_events(self, count: int) -> list["PassedEvent"]:
        """Return the last events that passed the bus, at most `count`, in the order they passed."""
        ...

    def logs(self, run_id: str, task: str | None = None) -> list["LogLine"]:
        """Return what the tasks of a run, or one of them, printed and logged. Raises NotFound."""
        ...

    def iter_logs(self, run_id: str, task: str | None = None) -> Iterator["LogLine"]:
        """As `logs`, read piece by piece. Raises NotFound."""
        ...

    def follow_logs(self, run_id: str, task: str | None = None) -> Iterator[Sequence["LogLine"]]:
        """Batches of lines: those so far, an empty one, then those that arrive until the run ends.

        Raises NotFound.
        """
        ...

    def stay_up(self, is_over: Callable[[], bool]) -> None:
        """Drive runs if no other process does, until `is_over`. Crons do not fire."""
        ...

    def dev(self, *, since: datetime | None = None) -> Iterator["PassedEvent | LogLine"]:
        """Stay up: drive runs, fire crons, reload servers; every event and printed line."""
        ...


OpenEngine = Callable[[EngineOptions], Engine]
"""An entry point of the group `cordyna.engines`."""

"""Engine: the port between `dyna` and whatever runs tasks: the embedded engine, or cerebro on AWS.

Invariant: the command line, the console and the client know an engine by this protocol only.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declaration import ServerDeclared

if TYPE_CHECKING:
    # Not loaded: what runs on Lambda knows no engine, and making these models takes 20 ms of a cold
    # start.
    from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
    from cordyna_core.contract.views.rehearsal import RehearsalView
    from cordyna_core.contract.views.replay import ReplayView
    from cordyna_core.contract.views.runs import LogLine, PassedEvent, RunSummary, RunView


@dataclass(frozen=True, slots=True)
class Invoked:
    """An invocation that was taken: the run that it started or found.

    `joined` when that run was interrupted and is taken up again.
    """

    run_id: str
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that was refused, with every problem."""

    task: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the command line was told; each engine takes what it knows.

    `declares` False: the servers that an engine was given are not declared when it opens, so that
    what they would change can be seen.
    """

    servers: tuple[str, ...] = ()
    declares: bool = True
    home: str | None = None
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    bus: str | None = None


class Engine(AbstractContextManager["Engine"], Protocol):
    """What `dyna` talks to: the embedded engine, or cerebro on AWS.

    Every method may raise UserError (NotFound, AccessError, ServiceError).
    """

    def invoke(
        self, command: InvokeTask, *, join: bool = False, wait_s: float = 30
    ) -> Invoked | Refused:
        """Put the command on the bus and wait until it is taken or refused.

        With `join`, a run of the same task and params that was interrupted is taken up instead of
        starting another.
        """
        ...

    def command(self, command: CancelRun | RetryRun, *, wait_s: float = 30) -> Refused | None:
        """Put the command on the bus and wait until it has been applied or refused."""
        ...

    def send(self, lines: Sequence[str]) -> None:
        """Put raw envelopes on the bus, also invalid ones.

        The bus gives an id and a time to what has none.
        """
        ...

    def plan(self, task: str) -> "PlanView": ...

    def rehearse(self, declared: Sequence[ServerDeclared]) -> "RehearsalView":
        """What would change if these servers declared themselves now, in this order.

        Nothing is declared.
        """
        ...

    def replay(self, run_id: str) -> "ReplayView":
        """Decide a run once more, from what was said in it, and say what would go differently.

        Raises NotFound.
        """
        ...

    def run(self, run_id: str) -> "RunView":
        """Raises NotFound."""
        ...

    def follow(self, run_id: str, *, timeout_s: float | None = None) -> Iterator["RunView"]:
        """The run each time it has changed, until it is final (the last view) or `timeout_s` has passed. Raises NotFound."""
        ...

    def runs(self, limit: int = 20) -> list["RunSummary"]:
        """The newest first."""
        ...

    def tasks(self) -> list["TaskInfo"]: ...

    def servers(self) -> list["ServerInfo"]: ...

    def events(self, run_id: str | None = None, *, after: int = 0) -> list["PassedEvent"]:
        """What passed the bus, in the order it passed: of one run, or everything.

        Only those with `seq` above `after`.
        """
        ...

    def logs(self, run_id: str, task: str | None = None) -> list["LogLine"]: ...

    def dev(self, *, since: datetime | None = None) -> Iterator["PassedEvent"]:
        """Stay up: drive runs, fire crons, reload servers; every event as it passes."""
        ...

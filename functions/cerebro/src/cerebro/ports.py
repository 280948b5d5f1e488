"""Ports: what cerebro needs from a platform.

Law: each has one suite of laws (`cerebro.testing`) that every adapter of it passes. Times are UTC seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cerebro.core.effects import FanOut, PageTimer
from cerebro.core.graph.graph import Graph, Head
from cerebro.core.model import CachedResult, Plan, Run, RunSnapshot, TaskRun
from cordyna_core.contract.base import Message
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.state_updates import ServerState


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """The last sign of life of a server, and when it last let a command go unacknowledged."""

    server: str
    state: ServerState | None
    at: float
    missed_at: float | None = None


class Store(Protocol):
    """Facts, runs, plans and the graph.

    Laws: every read is strongly consistent. A conditional write is one step: of two with the same `seen`, one wins,
    and the loser is answered with what is there. A write that failed may have been written all the same.
    """

    def read_graph(self) -> Graph: ...
    def write_declaration(self, version: str, declared: ServerDeclared) -> None: ...
    def write_head(self, new: Head, seen: Head) -> bool: ...
    def note_server(self, server: str, state: ServerState | None, at: float) -> None:
        """A sign of life without a `state` may be dropped when another was noted less than a minute before."""
        ...

    def note_missed_ack(self, server: str, at: float) -> None: ...
    def servers(self) -> list[ServerSeen]: ...

    def read_cached_result(self, task: str, fingerprint: str) -> CachedResult | None: ...
    def write_cached_result(self, task: str, fingerprint: str, last: CachedResult) -> None:
        """The one that was dispatched last stays."""
        ...

    def read_tick(self, task: str) -> float | None: ...
    def write_tick(self, task: str, nominal: float) -> None:
        """The latest stays."""
        ...

    def write_plan(self, plan: Plan) -> None: ...
    def claim_key(self, key: str, task: str) -> str: ...
    def read_run(self, run_id: str) -> Run | None: ...
    def write_run(self, new: Run, seen: Run | None) -> Run | None: ...
    def read_run_snapshot(self, run_id: str) -> RunSnapshot | None: ...
    def active_runs(self) -> list[str]:
        """At least every run that is running; some may have ended."""
        ...

    def runs(self, limit: int) -> list[Run]:
        """The newest first."""
        ...

    def read_task(self, run_id: str, index: int) -> TaskRun | None: ...
    def read_tasks(self, run_id: str, indexes: Sequence[int]) -> dict[int, TaskRun]: ...
    def read_page(self, run_id: str, page: int) -> dict[int, TaskRun]: ...
    def write_task(
        self, run_id: str, index: int, new: TaskRun, seen: TaskRun | None
    ) -> TaskRun | None: ...
    def read_outputs(self, run_id: str, indexes: Sequence[int]) -> dict[int, Any]: ...
    def write_output(self, run_id: str, index: int, attempt: int, output: Any) -> None: ...

    def has_page_timer(self, run_id: str, page: int, after: float, until: float) -> bool: ...
    def write_page_timer(self, run_id: str, page: int, due: float, after: float) -> None: ...


class CerebroBus(Protocol):
    """Where cerebro publishes. Law: after `publish` returns, every message is on the bus, possibly twice, in any order."""

    def publish(self, messages: Sequence[Message]) -> None: ...


class Timers(Protocol):
    """What brings a message back later. Law: delivered at least once, not before it is due by more than clocks differ."""

    def send_page_timer(self, ring: PageTimer) -> None: ...
    def send_fan_out(self, walk: FanOut) -> None: ...


class Crons(Protocol):
    """Who fires the crons. Law: after `apply` exactly the graph's crons fire, whichever of two applies came last."""

    def apply(self, graph: Graph) -> None: ...

"""Ports: what cerebro needs from a platform.

Invariant: every adapter of a port passes the port's contract tests (`cerebro.testing`). Times are
UTC seconds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from cerebro.core.graph.graph import Graph
from cerebro.core.graph.versions import Head
from cerebro.core.incidents.deadline import Deadline
from cerebro.core.incidents.incident import Incident
from cerebro.core.incidents.notices import AnyIncidentTimer, IncidentNotice
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer
from cerebro.core.model.plan import CachedResult, Plan
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cordyna_core.contract.base import Message
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.frozen import fast_dataclass
from cordyna_core.contract.incidents import GraphChanged
from cordyna_core.contract.state_updates import ServerState
from cordyna_core.errors import ServiceError


class DamagedItem(ServiceError):
    """A stored item cannot be decoded, and to read it again does not help."""


@fast_dataclass(frozen=True, slots=True)
class ServerSeen:
    """The last sign of life of a server, and when it last left a command unacknowledged."""

    server: str
    state: ServerState | None
    at: float
    missed_at: float | None = None


class Store(Protocol):
    """Facts, runs, plans and the graph.

    Every read is strongly consistent, except of what is `recent`, and of the timer of a page, which
    may be missed. A conditional write is atomic: of two with the same `seen`, one is written, and
    the other is answered with what is stored. A write that raised may have been written. What is
    stored and cannot be decoded raises DamagedItem, which names it; lists leave it out.
    """

    def read_graph(self) -> Graph: ...
    def write_declaration(self, version: str, declared: ServerDeclared) -> None: ...
    def write_head(self, new: Head, seen: Head) -> bool: ...
    def read_graph_change(self, server: str, version: str) -> GraphChanged | None: ...
    def write_graph_change(self, server: str, version: str, change: GraphChanged | None) -> None:
        """Store what is to be published once the head names this version; None: nothing is."""
        ...

    def note_server(self, server: str, state: ServerState | None, at: float) -> None:
        """A sign of life without a `state` may be dropped within a minute after another one."""
        ...

    def note_missed_ack(self, server: str, at: float) -> None: ...
    def servers(self) -> list[ServerSeen]: ...

    def read_cached_result(self, task: str, fingerprint: str) -> CachedResult | None: ...
    def write_cached_result(self, task: str, fingerprint: str, result: CachedResult) -> None:
        """The result that was dispatched last stays."""
        ...

    def read_tick(self, task: str) -> float | None: ...
    def write_tick(self, task: str, nominal: float) -> None:
        """The latest tick stays."""
        ...

    def write_plan(self, plan: Plan) -> None: ...
    def read_run(self, run_id: str) -> Run | None: ...
    def read_recent_run(self, run_id: str) -> Run | None:
        """Return the run as it is or was a moment ago."""
        ...

    def write_run(self, new: Run, seen: Run | None) -> Run | None: ...
    def read_run_snapshot(self, run_id: str) -> RunSnapshot | None: ...
    def active_runs(self) -> list[str]:
        """Return at least every run that is running; some may have ended."""
        ...

    def runs(self, limit: int, *, before: float = math.inf) -> list[Run]:
        """Return the newest runs that were created before then (UTC seconds), newest first."""
        ...

    def read_task(self, run_id: str, index: int, *, fresh: bool = False) -> TaskRun | None:
        """Unless it has to be `fresh`, a completed fact may come from a cache."""
        ...

    def read_recent_task(self, run_id: str, index: int) -> TaskRun | None:
        """Return the fact as it is or was a moment ago."""
        ...

    def read_tasks(
        self, run_id: str, indexes: Sequence[int], *, fresh: bool = False
    ) -> dict[int, TaskRun]: ...
    def read_page(self, run_id: str, page: int) -> dict[int, TaskRun]: ...
    def write_task(
        self, run_id: str, index: int, new: TaskRun, seen: TaskRun | None
    ) -> TaskRun | None: ...
    def read_outputs(self, run_id: str, refs: Mapping[int, str]) -> dict[int, Any]:
        """`refs`: the name of an output by its index. What is not stored is left out."""
        ...

    def write_output(self, run_id: str, index: int, ref: str, output: Any) -> None:
        """Two outputs of one task have two names, so neither replaces the other."""
        ...

    def read_incident(self, incident: str) -> Incident | None: ...
    def write_incident(self, new: Incident, seen: Incident | None) -> Incident | None: ...
    def incidents(self) -> list[Incident]:
        """Return every open incident, and those closed within the time that runs are kept."""
        ...

    def mark_cause(self, mark: str, *, on: bool) -> None:
        """Have `read_graph` list the mark in `watched` from now on, or no longer."""
        ...

    def read_deadline(self, task: str, nominal: float) -> Deadline | None: ...
    def write_deadline(self, new: Deadline, seen: Deadline | None) -> Deadline | None: ...
    def open_deadlines(self) -> list[Deadline]:
        """Return the deadlines whose timer has not fired."""
        ...

    def has_page_timer(self, run_id: str, page: int, after: float, until: float) -> bool: ...
    def write_page_timer(self, run_id: str, page: int, due: float, after: float) -> None: ...


class CerebroBus(Protocol):
    """Where cerebro publishes.

    After `publish` returns, every message is on the bus, possibly twice, in any order.
    """

    def publish(self, messages: Sequence[Message]) -> None: ...


class Timers(Protocol):
    """What delivers cerebro's messages to itself, at least once.

    A timer is delivered no earlier than it is due, apart from the difference of two clocks.
    """

    def send_page_timer(self, timer: PageTimer) -> None: ...
    def send_fan_out(self, fan_out: FanOut) -> None: ...
    def send_overdue_check(self, check: OverdueCheck) -> None:
        """Send to the end of the queue of state updates; that order is kept only roughly."""
        ...

    def send_incident_timer(self, timer: AnyIncidentTimer) -> None: ...
    def send_incident_notice(self, notice: IncidentNotice) -> None: ...


class Crons(Protocol):
    """What fires the crons.

    After `apply`, exactly the crons of the graph fire, whichever of two concurrent calls was last.
    """

    def apply(self, graph: Graph) -> None: ...

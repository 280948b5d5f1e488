"""Incident resume: what a driver that starts, or declares, owes the incidents of its home.

Invariant: what is done twice changes nothing: a notice and a timer are hints.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.notices import (
    AnyIncidentTimer,
    DeadlineTimer,
    FailureNotice,
    IncidentTimer,
    ServerNotice,
)
from cerebro.core.incidents.record import SETTLE_S
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import Home
from cerebro.ports import Store
from cordyna_core.contract.ids import derived_id

NEWEST_RUNS: Final = 100
"""Ended runs that are examined after the engine before this one was killed."""


def resume_incidents(loop: MessageLoop, home: Home) -> None:
    """Arm the timers of incidents and deadlines again, and find what was not recorded."""
    for timer in _timers(home.store):
        loop.send_incident_timer(timer)
    loop.take_notices(_notices(home.store) if home.predecessor_died else ())


def note_declared(loop: MessageLoop, home: Home, servers: Iterable[str]) -> None:
    """Close what was rejected of servers whose files are as accepted now."""
    graph = home.store.read_graph()
    if graph.watched:
        loop.take_notices(_notices_of_declared(graph, servers, loop.ports.clock()))


def _timers(store: Store) -> Iterator[AnyIncidentTimer]:
    """Yield the timers of an earlier engine: of incidents that are open, and of deadlines."""
    for incident in store.incidents():
        if incident.is_open or incident.unpublished:
            yield IncidentTimer(incident.id, incident.opened_at + SETTLE_S)
    for deadline in store.open_deadlines():
        yield DeadlineTimer(deadline.task, deadline.nominal, deadline.due)


def _notices(store: Store) -> Iterator[FailureNotice]:
    """Runs whose failure an engine that was killed may not have recorded."""
    for run in store.runs(NEWEST_RUNS):
        if run.failing and run.status in ("running", "error"):
            yield FailureNotice(run.id)


def _notices_of_declared(graph: Graph, servers: Iterable[str], now: float) -> list[ServerNotice]:
    """Servers whose files are as accepted: a rejection of what they were before is over."""
    return [
        ServerNotice(server, "rejected_declaration", now, derived_id("declared", server, str(now)))
        for server in servers
        if f"rejected_declaration:{server}" in graph.watched
    ]

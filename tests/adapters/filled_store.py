"""A store with one item of each kind, and every read of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cerebro.core.graph.versions import version_of
from cerebro.core.incidents.deadline import Deadline
from cerebro.core.model.plan import CachedResult
from cerebro.core.model.task_run import Rank
from cerebro.ports import Store
from cerebro.testing.examples import (
    NOW,
    RUN,
    a_declaration,
    a_fact,
    a_full_fact,
    a_run,
    accept,
    invoked,
)
from cerebro.testing.incident_contract import INCIDENT
from cordyna_core.contract.incidents import GraphChanged

DECLARED: Final = a_declaration("server-a", "x", "y")


def fill(store: Store) -> None:
    """Store one item of each kind."""
    accept(store, DECLARED)
    change = GraphChanged(server="server-a", generation=1)
    store.write_graph_change("server-a", version_of(DECLARED), change)
    store.note_server("server-a", "ready", NOW)
    store.write_tick("x", NOW)
    store.mark_cause("failed:x", on=True)
    store.write_incident(replace(INCIDENT, closed_at=NOW), None)
    store.write_deadline(Deadline(task="x", nominal=NOW, due=NOW + 9), None)
    store.write_cached_result("x", "made from", CachedResult(RUN, 0, NOW))
    run = invoked(store, a_run())
    ended = replace(run, status="error", version=2)
    assert store.write_run(ended, run) is None
    assert store.write_run(replace(ended, status="running", version=3), ended) is None
    store.write_task(RUN, 0, replace(a_full_fact(), rev=1), None)
    store.write_task(RUN, 1, a_fact(Rank.COMPLETED, deadline=None), None)
    store.write_output(RUN, 0, "ref-1", {"rows": 3})
    store.write_page_timer(RUN, 0, NOW + 10, NOW)


READS: Final[dict[str, Callable[[Any], object]]] = {
    "graph": lambda store: store.read_graph(),
    "change": lambda store: store.read_graph_change("server-a", version_of(DECLARED)),
    "servers": lambda store: store.servers(),
    "tick": lambda store: store.read_tick("x"),
    "incident": lambda store: [store.incidents(), store.read_incident(INCIDENT.id)],
    "deadline": lambda store: [store.read_deadline("x", NOW), store.open_deadlines()],
    "result": lambda store: store.read_cached_result("x", "made from"),
    "run": lambda store: [store.read_run(RUN), store.read_recent_run(RUN)],
    "runs": lambda store: [store.runs(9), store.active_runs()],
    "snapshot": lambda store: store.read_run_snapshot(RUN),
    "facts": lambda store: [store.read_page(RUN, 0), store.read_tasks(RUN, [0, 1])],
    "fact": lambda store: [store.read_task(RUN, 0), store.read_recent_task(RUN, 0)],
    "output": lambda store: store.read_outputs(RUN, {0: "ref-1"}),
    "timer": lambda store: store.has_page_timer(RUN, 0, NOW, NOW + 99),
}
"""By what they read."""

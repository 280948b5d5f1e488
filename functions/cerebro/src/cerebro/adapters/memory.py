"""Memory: a store in dictionaries, for the simulator and for an engine that keeps nothing.

Invariant: stored values are immutable, and each method is atomic for a single-threaded caller.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cerebro.adapters.page_timers import ArmedPageTimers
from cerebro.core.graph.graph import Graph
from cerebro.core.graph.versions import Head
from cerebro.core.incidents.deadline import Deadline
from cerebro.core.incidents.incident import Incident
from cerebro.core.model.plan import PAGE_SIZE, CachedResult, Plan, indexes_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.ports import ServerSeen
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.incidents import GraphChanged
from cordyna_core.contract.state_updates import ServerState


class MemoryStore:
    """Implements the Store port."""

    def __init__(self) -> None:
        self._declarations: dict[str, ServerDeclared] = {}
        self._graph = Graph.of({})
        self._graph_changes: dict[tuple[str, str], GraphChanged] = {}
        self._servers: dict[str, ServerSeen] = {}
        self._cached_results: dict[tuple[str, str], CachedResult] = {}
        self._ticks: dict[str, float] = {}
        self._plans: dict[str, Plan] = {}
        self._runs: dict[str, Run] = {}
        self._tasks: defaultdict[str, dict[int, TaskRun]] = defaultdict(dict)
        self._live_count: defaultdict[str, int] = defaultdict(int)
        self._outputs: dict[tuple[str, int, str], Any] = {}
        self._snapshots: dict[str, RunSnapshot] = {}
        self._incidents: dict[str, Incident] = {}
        self._deadlines: dict[tuple[str, float], Deadline] = {}
        timers = ArmedPageTimers()
        self.has_page_timer = timers.has_page_timer
        self.write_page_timer = timers.write_page_timer
        self.forget_page_timers = timers.forget_page_timers

    def read_graph(self) -> Graph:
        return self._graph

    def write_declaration(self, version: str, declared: ServerDeclared) -> None:
        self._declarations[version] = declared

    def write_head(self, new: Head, seen: Head) -> bool:
        if self._graph.head != seen:
            return False
        self._graph = self._graph.with_servers(
            {server: self._declarations[version] for server, version in new.servers.items()},
            new.generation,
            new.servers,
        )
        return True

    def read_graph_change(self, server: str, version: str) -> GraphChanged | None:
        return self._graph_changes.get((server, version))

    def write_graph_change(self, server: str, version: str, change: GraphChanged | None) -> None:
        self._graph_changes.pop((server, version), None)
        if change is not None:
            self._graph_changes[server, version] = change

    def note_server(self, server: str, state: ServerState | None, at: float) -> None:
        previous = self._servers.get(server) or ServerSeen(server, None, at)
        self._servers[server] = ServerSeen(
            server, state or previous.state, max(at, previous.at), previous.missed_at
        )

    def note_missed_ack(self, server: str, at: float) -> None:
        self._servers[server] = replace(
            self._servers.get(server, ServerSeen(server, None, 0.0)), missed_at=at
        )

    def servers(self) -> list[ServerSeen]:
        return list(self._servers.values())

    def read_cached_result(self, task: str, fingerprint: str) -> CachedResult | None:
        return self._cached_results.get((task, fingerprint))

    def write_cached_result(self, task: str, fingerprint: str, result: CachedResult) -> None:
        previous = self._cached_results.get((task, fingerprint))
        if previous is None or previous.dispatched_at < result.dispatched_at:
            self._cached_results[task, fingerprint] = result

    def read_tick(self, task: str) -> float | None:
        return self._ticks.get(task)

    def write_tick(self, task: str, nominal: float) -> None:
        self._ticks[task] = max(nominal, self._ticks.get(task, nominal))

    def forget_after(self, at: float) -> None:
        """See HomeStore."""
        self._cached_results = {
            key: result
            for key, result in self._cached_results.items()
            if result.dispatched_at <= at
        }
        self._ticks = {task: nominal for task, nominal in self._ticks.items() if nominal <= at}
        self._servers = {name: _seen_by(seen, at) for name, seen in self._servers.items()}

    def read_incident(self, incident: str) -> Incident | None:
        return self._incidents.get(incident)

    def write_incident(self, new: Incident, seen: Incident | None) -> Incident | None:
        stored = self._incidents.get(new.id)
        if (stored.version if stored else None) != (seen.version if seen else None):
            return stored
        self._incidents[new.id] = new
        return None

    def incidents(self) -> list[Incident]:
        return list(self._incidents.values())

    def mark_cause(self, mark: str, *, on: bool) -> None:
        watched = self._graph.watched
        self._graph = self._graph.with_watched(watched | {mark} if on else watched - {mark})

    def read_deadline(self, task: str, nominal: float) -> Deadline | None:
        return self._deadlines.get((task, nominal))

    def write_deadline(self, new: Deadline, seen: Deadline | None) -> Deadline | None:
        key = (new.task, new.nominal)
        stored = self._deadlines.get(key)
        if (stored.version if stored else None) != (seen.version if seen else None):
            return stored
        self._deadlines[key] = new
        return None

    def open_deadlines(self) -> list[Deadline]:
        return [deadline for deadline in self._deadlines.values() if deadline.outcome is None]

    def write_plan(self, plan: Plan) -> None:
        self._plans[plan.id] = plan

    def read_run(self, run_id: str) -> Run | None:
        return self._runs.get(run_id)

    def read_recent_run(self, run_id: str) -> Run | None:
        return self.read_run(run_id)

    def write_run(self, new: Run, seen: Run | None) -> Run | None:
        stored = self._runs.get(new.id)
        if (stored.version if stored else None) != (seen.version if seen else None):
            return stored
        self._runs[new.id] = new
        return None

    def read_run_snapshot(self, run_id: str) -> RunSnapshot | None:
        snapshot = self._snapshots.get(run_id)
        if snapshot is None and run_id in self._runs:
            run = self._runs[run_id]
            snapshot = self._snapshots[run_id] = RunSnapshot(run, self._plans[run.plan_id])
        return snapshot

    def active_runs(self) -> list[str]:
        return [run.id for run in self._runs.values() if not run.is_over]

    def active_pages(self, shard: int, after: str = "") -> Iterator[tuple[str, int]]:
        """See handlers.sweep.ActivePages: all are in one partition, and marked from the first."""
        for run_id in sorted(self.active_runs()):
            snapshot = self.read_run_snapshot(run_id)
            if snapshot is not None and run_id > after:
                yield run_id, len(snapshot.plan.pages)

    def new_active_pages(self, shard: int) -> Iterator[tuple[str, int]]:
        """See handlers.sweep.ActivePages."""
        return iter(())

    def runs(self, limit: int, *, before: float = math.inf) -> list[Run]:
        older = [run for run in reversed(self._runs.values()) if run.created_at < before]
        return sorted(older, key=lambda run: run.created_at, reverse=True)[:limit]

    def read_task(self, run_id: str, index: int, *, fresh: bool = False) -> TaskRun | None:
        return self._tasks[run_id].get(index)

    def read_recent_task(self, run_id: str, index: int) -> TaskRun | None:
        return self._tasks[run_id].get(index)

    def read_tasks(
        self, run_id: str, indexes: Sequence[int], *, fresh: bool = False
    ) -> dict[int, TaskRun]:
        tasks = self._tasks[run_id]
        return {index: tasks[index] for index in indexes if index in tasks}

    def read_page(self, run_id: str, page: int) -> dict[int, TaskRun]:
        tasks = self._tasks[run_id]
        indexes: Sequence[int] = indexes_of(page, (page + 1) * PAGE_SIZE)
        if len(tasks) < len(indexes):
            indexes = sorted(index for index in tasks if index in indexes)
        return {index: tasks[index] for index in reversed(indexes) if index in tasks}

    def has_live_task(self, run_id: str) -> bool:
        """Return whether something is still expected of a task of the run.

        Costs the same in any run.
        """
        return self._live_count[run_id] > 0

    def write_task(
        self, run_id: str, index: int, new: TaskRun, seen: TaskRun | None
    ) -> TaskRun | None:
        tasks = self._tasks[run_id]
        stored = tasks.get(index)
        if stored is not seen and (stored is None or seen is None or stored.rev != seen.rev):
            return stored
        tasks[index] = new
        was_live = stored is not None and stored.is_live
        if new.is_live != was_live:
            self._live_count[run_id] += 1 if new.is_live else -1
        return None

    def read_outputs(self, run_id: str, refs: Mapping[int, str]) -> dict[int, Any]:
        return {
            index: self._outputs[run_id, index, ref]
            for index, ref in refs.items()
            if (run_id, index, ref) in self._outputs
        }

    def write_output(self, run_id: str, index: int, ref: str, output: Any) -> None:
        self._outputs[run_id, index, ref] = output

    def prune_runs(self, run_ids: Collection[str]) -> None:
        """Delete these runs, with all that belongs to them."""
        for run_id in run_ids:
            for table in (self._runs, self._snapshots, self._tasks, self._live_count):
                table.pop(run_id, None)
            self.forget_page_timers(run_id)
        gone = frozenset(run_ids)
        self._outputs = {key: value for key, value in self._outputs.items() if key[0] not in gone}
        self._cached_results = {
            key: value for key, value in self._cached_results.items() if value.run_id not in gone
        }
        plan_ids = {run.plan_id for run in self._runs.values()}
        self._plans = {key: plan for key, plan in self._plans.items() if key in plan_ids}


def _seen_by(seen: ServerSeen, at: float) -> ServerSeen:
    has_missed = seen.missed_at is not None and seen.missed_at <= at
    return replace(seen, at=min(seen.at, at), missed_at=seen.missed_at if has_missed else None)

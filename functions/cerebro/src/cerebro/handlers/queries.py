"""Queries: views of runs, plans, tasks and servers, made from stored facts.

Invariant: reads only; each answer is a view of the contract.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal

from cerebro.core.cron.schedule import next_after
from cerebro.core.declaration.notices import notices
from cerebro.core.graph.graph import Graph
from cerebro.core.graph.owned_task import OwnedTask
from cerebro.core.messages import wire_run_state
from cerebro.core.model.plan import Plan
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.core.planning.params import check_params
from cerebro.core.planning.planner import plan_invocation
from cerebro.core.views import plan_view, reused_runs, run_view, viewed_run_state
from cerebro.ports import ServerSeen, Store
from cordyna_core._version import __version__
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.notices import Notice
from cordyna_core.contract.query_api import RUNS_SEARCHED_MAX, CerebroInfo
from cordyna_core.contract.registry import sender_of
from cordyna_core.contract.state_updates import RunState
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.runs import RunCriteria, RunSummary, RunView
from cordyna_core.errors import NotFound


def run(store: Store, run_id: str) -> RunView:
    """Return the view of a run. Raises NotFound."""
    stored, snapshot, facts = read_all(store, run_id)
    sources = {
        source: reused
        for source in reused_runs(snapshot.plan)
        if (reused := store.read_run_snapshot(source)) is not None
    }
    return run_view(stored, snapshot, facts, sources)


def read_run(store: Store, run_id: str) -> tuple[Run, RunSnapshot]:
    """Return a run and what never changes about it. Raises NotFound."""
    stored, snapshot = store.read_run(run_id), store.read_run_snapshot(run_id)
    if stored is None or snapshot is None:
        raise unknown_run(run_id)
    return stored, snapshot


def read_all(store: Store, run_id: str) -> tuple[Run, RunSnapshot, dict[int, TaskRun]]:
    """Return a run, what never changes about it, and its facts. Raises NotFound."""
    stored, snapshot = read_run(store, run_id)
    return stored, snapshot, facts_of(store, snapshot)


def unknown_run(run_id: str) -> NotFound:
    """Return the error about an id that no stored run has."""
    return NotFound(
        f"run {run_id} is not known.",
        why="no run with this id was begun here, or it was deleted some time after its end",
        next="`dyna runs` lists the runs.",
    )


def require_run(store: Store, run_id: str) -> None:
    """Raise NotFound unless there is such a run."""
    if store.read_run(run_id) is None:
        raise unknown_run(run_id)


def facts_of(store: Store, snapshot: RunSnapshot) -> dict[int, TaskRun]:
    """Return all facts of a run by index, with the outputs that are stored separately."""
    facts: dict[int, TaskRun] = {}
    for page in reversed(snapshot.plan.pages):
        facts.update(store.read_page(snapshot.run.id, page))
    return dict(sorted(_with_outputs(store, snapshot.run.id, facts).items()))


def facts_at(store: Store, run_id: str, indexes: Sequence[int]) -> dict[int, TaskRun]:
    """Return the facts at these indexes, with the outputs that are stored separately."""
    facts = store.read_tasks(run_id, indexes) if indexes else {}
    return _with_outputs(store, run_id, facts)


def _with_outputs(store: Store, run_id: str, facts: dict[int, TaskRun]) -> dict[int, TaskRun]:
    facts = dict(facts)
    refs = {index: ref for index, fact in facts.items() if (ref := fact.output_ref) is not None}
    for index, output in store.read_outputs(run_id, refs).items():
        facts[index] = replace(facts[index], output=output)
    return facts


def plan(store: Store, task: str, params: JsonObject | None = None) -> PlanView:
    """Return the plan of an invocation of `task`, or the problems that would refuse it.

    With `params`, also the problems of these.
    """
    graph = store.read_graph()
    planned = plan_invocation(graph, task)
    if not isinstance(planned, Plan):
        return PlanView(task=task, problems=list(planned))
    problems = [] if params is None else list(check_params(graph, planned, params))
    return plan_view(planned).model_copy(update={"problems": problems})


def cerebro(store: Store, now: float) -> CerebroInfo:
    """Return the cerebro that answers."""
    generation = store.read_graph().generation
    return CerebroInfo(version=__version__, contract="1", generation=generation, now=now)


ANY_RUN: Final = RunCriteria()


def runs(store: Store, limit: int, criteria: RunCriteria = ANY_RUN) -> list[RunSummary]:
    """Return the newest `limit` runs that match, newest first.

    They are searched among the newest RUNS_SEARCHED_MAX that were created before
    `criteria.until`.
    """
    searched = limit
    before = math.inf if criteria.until is None else criteria.until.timestamp()
    while True:
        stored = store.runs(searched, before=before)
        summaries = (run_summary(store, run) for run in stored)
        matching = [summary for summary in summaries if matches(summary, criteria)]
        is_last = len(stored) < searched or searched >= RUNS_SEARCHED_MAX
        is_past = bool(stored) and _is_before(utc(stored[-1].created_at), criteria.since)
        if len(matching) >= limit or is_last or is_past:
            return matching[:limit]
        searched = min(4 * searched, RUNS_SEARCHED_MAX)


def run_summary(store: Store, run: Run) -> RunSummary:
    """Return one run in a list."""
    return RunSummary(
        run_id=run.id,
        task=run.task,
        state=_state_in_list(store, run),
        created_at=utc(run.created_at),
        cancelled=run.status == "cancelled",
        source=run.source,
        scheduled_at=None if run.scheduled_at is None else utc(run.scheduled_at),
    )


def _state_in_list(store: Store, run: Run) -> RunState:
    """Return the state of a run, with facts read only of those few whose record may not suffice.

    They are live, something failed in them, and something came alive again since.
    """
    state = wire_run_state(run)
    if state != "failing" or run.rev == 0:
        return state
    return viewed_run_state(run, _failed_in_one_page(store, run.id))


def _failed_in_one_page(store: Store, run_id: str) -> list[int]:
    """Return what has failed permanently in one of the pages in which anything has."""
    snapshot = store.read_run_snapshot(run_id)
    for page in reversed(snapshot.plan.pages) if snapshot is not None else ():
        facts = store.read_page(run_id, page)
        if failed := [index for index, fact in facts.items() if fact.failed_permanently]:
            return failed
    return []


def matches(run: RunSummary, criteria: RunCriteria) -> bool:
    """Return whether a run is one of those that are wanted."""
    state = "cancelled" if run.cancelled else run.state
    sender = sender_of(run.source) if run.source is not None else None
    return (
        criteria.task in (None, run.task)
        and criteria.state in (None, state)
        and not _is_before(run.created_at, criteria.since)
        and (criteria.until is None or run.created_at < criteria.until)
        and criteria.sender in (None, sender)
    )


def _is_before(at: datetime, since: datetime | None) -> bool:
    return since is not None and at < since


def tasks(store: Store, now: float) -> list[TaskInfo]:
    """Return every declared task, by server and name.

    `next_at` is its next cron tick after `now`.
    """
    graph = store.read_graph()
    notices_by_task: dict[str, list[Notice]] = {}
    for notice in notices(graph, graph):
        for name in (notice.task, notice.upstream):
            notices_by_task.setdefault(name, []).append(notice)
    return [
        _task_info(owned, graph, now, notices_by_task.get(owned.task.name, []))
        for owned in map(graph.__getitem__, graph)
    ]


def _task_info(owned: OwnedTask, graph: Graph, now: float, notices: list[Notice]) -> TaskInfo:
    server, task = owned
    return TaskInfo(
        task=task.name,
        server=server,
        upstream=list(task.upstream_names),
        unresolved=[name for name in task.upstream_names if name not in graph],
        cron=task.cron,
        timezone=task.timezone,
        next_at=None if task.cron is None else utc(next_after(task.cron, task.timezone, now)),
        owner=task.owner,
        description=task.description,
        params_schema=task.params_schema,
        within_s=task.within_s,
        overlap=task.overlap,
        retries=task.retries,
        ack_timeout_s=task.ack_timeout_s,
        start_timeout_s=task.start_timeout_s,
        run_timeout_s=task.run_timeout_s,
        retry_delay_s=task.retry_delay_s,
        retry_backoff=task.retry_backoff,
        retry_max_delay_s=task.retry_max_delay_s,
        retry_jitter=task.retry_jitter,
        consumers=task.consumers,
        invokers=task.invokers,
        deprecated=task.deprecated,
        until=task.until,
        due=task.due,
        output_schema=task.output_schema,
        expects={name: edge.expects for name, edge in task.expecting.items() if edge.expects},
        strict=[name for name, edge in task.expecting.items() if edge.strict],
        notices=notices,
    )


def _state(
    server: str, seen: ServerSeen | None, graph: Graph
) -> Literal["ready", "draining", "stopped", "unresponsive", "unknown", "rejected", "undeclared"]:
    if server not in graph.declarations:
        is_rejected = f"rejected_declaration:{server}" in graph.watched
        return "rejected" if is_rejected else "undeclared"
    if seen is None:
        return "unknown"
    if seen.missed_at is not None and seen.missed_at > seen.at:
        return "unresponsive"
    return seen.state or "ready"


def servers(store: Store) -> list[ServerInfo]:
    """Return every server that declared itself or sent a message.

    One whose tasks are not in the graph is not called ready, though it may run: it is `rejected`
    while that incident is open, else `undeclared`: removed, or it never declared itself.
    """
    graph = store.read_graph()
    seen = {server.server: server for server in store.servers()}
    return [
        ServerInfo(
            server=name,
            state=_state(name, seen.get(name), graph),
            tasks=len(graph.declarations[name].tasks) if name in graph.declarations else 0,
            revision=graph.declarations[name].revision if name in graph.declarations else 0,
            last_seen_at=utc(seen[name].at) if name in seen else None,
        )
        for name in sorted({*seen, *graph.declarations})
    ]

"""Reference of plans: which tasks a run has, what each needs, and which results it reuses.

Derived from the declarations that the program read, by names, without the planner: a plan must hold
exactly the closure of its target, each task as it was declared, and reuse exactly what is fresh
enough (docs/rules.md, rules 12 and 14).

Invariant: nothing here calls `cerebro.core.planning`.
"""

import json
from collections.abc import Container, Mapping
from typing import Any, Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core.graph.graph import Graph
from cerebro.core.model.plan import CachedResult, Plan, PlannedTask
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.secrets import has_plain
from cerebro.simulator.parts.sizes import in_use
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import SCHEDULER, run_id_of

Parts = frozenset[tuple[str, str, str]]
"""(server, declaration, parameters) of each task that a result was made from."""

WITHOUT_EFFECT: Final = frozenset(
    {"consumers", "invokers", "deprecated", "until", "due"}
    | {"retry_delay_s", "retry_backoff", "retry_max_delay_s", "retry_jitter"}
)
"""What a declaration says about who may use a task and when, and not about its result.

Named here once more, so that a field that the core leaves out by mistake is found.
"""

_AWAITED_MAX: Final = 100
_to_sorted_json: Final = json.JSONEncoder(sort_keys=True).encode


def check_new_run(
    snapshot: RunSnapshot,
    handled: HandledInput,
    store: MemoryStore,
    made: Mapping[tuple[str, int], Parts],
    completed: Container[tuple[str, int, float]],
) -> dict[int, Parts]:
    """Compare a run that was just created with its command and the declarations.

    `made`: what each result of the runs before was made from. Returns the same for this run.
    `completed`: what completed, by (run, index, dispatched_at).

    Raises Unexpected.
    """
    envelope = handled.message
    command = envelope.message if isinstance(envelope, Envelope) else None
    if not isinstance(command, InvokeTask) or handled.graph is None:
        raise Unexpected("a run was created without an invocation")
    _check_run(snapshot.run, command, envelope, handled)
    if has_plain(snapshot.run.params):
        raise Unexpected("a run keeps a plain secret")
    tasks = _closure(handled.graph, command.task)
    reused = _reused(tasks, command, handled)
    needed = _needed(tasks, command.task, reused)
    _check_tasks(snapshot.plan, handled.graph, tasks, needed, reused)
    for name, result in reused.items():
        _check_result(name, result, store, completed)
        _check_made_from_the_same(name, result, tasks, command.params, made)
    return _parts_of_new_results(snapshot, tasks, made)


def _check_run(run: Run, command: InvokeTask, envelope: Envelope, handled: HandledInput) -> None:
    scheduled_at = command.scheduled_at.timestamp() if command.scheduled_at else None
    key = command.key or envelope.id
    if command.scheduled_at and envelope.source == SCHEDULER:
        key = f"cron {command.scheduled_at.isoformat()}"
    expected = Run(
        id=run_id_of(command.task, key, envelope.source),
        task=command.task,
        plan_id=run.plan_id,
        created_at=handled.clocks[0],
        cause=envelope.id,
        params=command.params,
        key=command.key,
        max_age_s=command.max_age_s,
        labels=command.labels,
        scheduled_at=scheduled_at,
        traceparent=command.meta.traceparent if command.meta else None,
        source=envelope.source,
        watched=run.watched,  # compared in `incident_checks`
    )
    if run != expected:
        raise Unexpected(f"the run is not what was asked for: {run}, not {expected}")


# --- which tasks, and which results -----------------------------------------------------------
Declared = Mapping[str, tuple[str, TaskDeclaration]]
"""Name -> (server, declaration), each task after its upstream."""


def _closure(graph: Graph, target: str) -> Declared:
    owned = {
        task.name: (server, task)
        for server, declared in graph.declarations.items()
        for task in declared.tasks
    }
    ordered: dict[str, tuple[str, TaskDeclaration]] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        for upstream in owned[name][1].upstream_names:
            visit(upstream)
        ordered[name] = owned[name]

    visit(target)
    return ordered


def _reused(tasks: Declared, command: InvokeTask, handled: HandledInput) -> dict[str, CachedResult]:
    """Return which results are fresh enough for everything that runs and needs them."""
    reused: dict[str, CachedResult] = {}
    needed = {command.task}
    # For each task that is needed, how old its result may be for each that runs and needs it.
    within_s: dict[str, list[int | None]] = {}
    for name in reversed(list(tasks)):
        if name not in needed:
            continue
        age_s = _allowed_age_s(within_s.get(name, []), command.max_age_s)
        result = handled.cached_results.get(name) if age_s is not None else None
        read_at = handled.results_read_at
        is_young = result is not None and read_at - result.dispatched_at <= (age_s or 0)
        if result is not None and is_young and name not in handled.lost_outputs:
            reused[name] = result
            continue
        declared = tasks[name][1]
        edges = declared.within_s
        for upstream in declared.upstream_names:
            needed.add(upstream)
            within_s.setdefault(upstream, []).append(edges.get(upstream))
    return reused


def _allowed_age_s(within_s: list[int | None], max_age_s: int | None) -> float | None:
    """An edge without `within_s` wants a new result; the invocation may be content with less."""
    ages = [age for age in within_s if age is not None]
    by_edges = min(ages) if ages and len(ages) == len(within_s) else None
    return max((age for age in (by_edges, max_age_s) if age is not None), default=None)


def _needed(tasks: Declared, target: str, reused: Mapping[str, CachedResult]) -> set[str]:
    needed, frontier = {target}, [target]
    while frontier:
        name = frontier.pop()
        if name in reused:
            continue
        for upstream in tasks[name][1].upstream_names:
            if upstream not in needed:
                needed.add(upstream)
                frontier.append(upstream)
    return needed


# --- the plan ---------------------------------------------------------------------------------
def _check_tasks(
    plan: Plan,
    graph: Graph,
    tasks: Declared,
    needed: set[str],
    reused: Mapping[str, CachedResult],
) -> None:
    planned = {task.name for task in plan.tasks if not task.is_join}
    if planned != needed:
        raise Unexpected(f"the plan has {sorted(planned)}, and {sorted(needed)} are needed")
    wanted_fresh = {
        name
        for server in graph.declarations.values()
        for task in server.tasks
        for name in task.within_s
    }
    for index, task in enumerate(plan.tasks):
        if task.is_join:
            _check_join(plan, index)
            continue
        server, declared = tasks[task.name]
        result = reused.get(task.name)
        if task.reuses != result:
            raise Unexpected(f"{task.name} reuses {task.reuses}, and {result} is fresh enough")
        _check_declared(task, server, declared)
        upstream = () if result else declared.upstream_names
        if tuple(plan.tasks[up].name for up in task.upstream) != upstream:
            raise Unexpected(f"{task.name} has another upstream than it declares")
        _check_awaits(plan, index)
        is_target = index == plan.target
        if (is_target or task.name in wanted_fresh) and not task.kept:
            raise Unexpected(f"the result of {task.name} is not kept, but may be reused")
    awaited = {up for task in plan.tasks for up in task.awaits}
    if len(awaited) != plan.size - 1:
        raise Unexpected("a task of the plan is awaited by none, and is not its target")


def _check_declared(task: PlannedTask, server: str, declared: TaskDeclaration) -> None:
    schema = declared.params_schema or {}
    params = dict.fromkeys([*schema.get("properties", ()), *schema.get("required", ())])
    expected = (
        server,
        declared.retries,
        (declared.retry_delay_s, declared.retry_backoff),
        (declared.retry_max_delay_s, declared.retry_jitter),
        declared.ack_timeout_s,
        declared.start_timeout_s,
        declared.run_timeout_s,
        declared.owner,
        tuple(params),
    )
    actual = (
        task.server,
        task.retries,
        (task.retry_delay_s, task.retry_backoff),
        (task.retry_max_delay_s, task.retry_jitter),
        task.ack_timeout_s,
        task.start_timeout_s,
        task.run_timeout_s,
        task.owner,
        task.params,
    )
    if actual != expected:
        raise Unexpected(f"{task.name} is planned as {actual}, but declared as {expected}")


def _check_join(plan: Plan, index: int) -> None:
    task = plan.tasks[index]
    if task.upstream or not task.awaits or task.reuses or max(task.awaits) >= index:
        raise Unexpected(f"{task.name} is not a join over what comes before it")


def _awaited_max() -> int:
    return min(in_use().awaited, _AWAITED_MAX)


def _check_awaits(plan: Plan, index: int) -> None:
    """Through its joins, a task awaits exactly its upstream."""
    task = plan.tasks[index]
    leaves: list[int] = []
    frontier = list(task.awaits)
    while frontier:
        awaited = frontier.pop()
        if awaited >= index:
            raise Unexpected(f"{task.name} awaits what comes after it")
        if len(plan.tasks[awaited].awaits) > _awaited_max():
            raise Unexpected(f"{plan.tasks[awaited].name} awaits too much")
        if plan.tasks[awaited].is_join:
            frontier.extend(plan.tasks[awaited].awaits)
        else:
            leaves.append(awaited)
    if sorted(leaves) != sorted(task.upstream) or len(task.awaits) > _awaited_max():
        raise Unexpected(
            f"{task.name} awaits {sorted(leaves)}, and its upstream is {task.upstream}"
        )


# --- what a result was made from --------------------------------------------------------------
def _own_part(
    server: str, declared: TaskDeclaration, params: Mapping[str, Any]
) -> tuple[str, str, str]:
    schema = declared.params_schema or {}
    names = {*schema.get("properties", ()), *schema.get("required", ())}
    taken = {name: params[name] for name in sorted(names) if name in params}
    content = declared.model_dump_json(exclude=set(WITHOUT_EFFECT))
    return server, content, _to_sorted_json(taken) if taken else ""


def _parts_of_new_results(
    snapshot: RunSnapshot, tasks: Declared, made: Mapping[tuple[str, int], Parts]
) -> dict[int, Parts]:
    """Return what the result of each task of a run is made from.

    A reused one, what it was made from.
    """
    parts: dict[int, Parts] = {}
    for index, task in enumerate(snapshot.plan.tasks):
        if task.is_join:
            continue
        if task.reuses is not None:
            parts[index] = made[task.reuses.run_id, task.reuses.index]
            continue
        own = _own_part(*tasks[task.name], snapshot.run.params)
        parts[index] = frozenset({own}).union(*(parts[up] for up in task.upstream))
    return parts


def _check_made_from_the_same(
    name: str,
    result: CachedResult,
    tasks: Declared,
    params: Mapping[str, Any],
    made: Mapping[tuple[str, int], Parts],
) -> None:
    names, frontier = {name}, [name]
    while frontier:
        for upstream in tasks[frontier.pop()][1].upstream_names:
            if upstream not in names:
                names.add(upstream)
                frontier.append(upstream)
    wanted = frozenset(_own_part(*tasks[needed], params) for needed in names)
    if made.get((result.run_id, result.index)) != wanted:
        raise Unexpected(f"{name} reuses a result that was made from something else")


def _check_result(
    name: str,
    result: CachedResult,
    store: MemoryStore,
    completed: Container[tuple[str, int, float]],
) -> None:
    # It may be run again by now: a rerun takes no result back.
    if (result.run_id, result.index, result.dispatched_at) not in completed:
        raise Unexpected(f"{name} reuses what did not complete, or not when it was dispatched")
    snapshot = store.read_run_snapshot(result.run_id)
    if snapshot is None or snapshot.plan.tasks[result.index].name != name:
        raise Unexpected(f"{name} reuses the result of another task")

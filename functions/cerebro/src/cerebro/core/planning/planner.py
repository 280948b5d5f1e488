"""Planner: what an invocation of a task would run, frozen, or why it cannot run.

Invariant: a plan is the upstream closure in topological order. The target is last, and the only
task that no other awaits. A task with more than 100 upstreams awaits them through joins, so that no
completion makes a handler read more than 100 facts.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from cerebro.core.graph.edges import Closure
from cerebro.core.graph.graph import Graph
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.planning.params import params_named_by
from cerebro.core.validation.edge_access import forbidden_edges, not_a_consumer
from cerebro.core.validation.problems import at_most, names_of, near, quoted, short_path
from cordyna_core.contract.base import Problem

MAX_AWAITED: Final = 100
"""The most upstreams that a task or a join awaits."""


def plan_invocation(graph: Graph, target: str) -> Plan | tuple[Problem, ...]:
    """Return the plan of `target`, or every reason why it cannot be made."""
    if target not in graph:
        return (_unknown_task(graph, target),)
    closure = graph.closure(target)
    if closure.missing:
        return at_most(_unresolved(graph, closure))
    if graph.restricted and (edges := list(forbidden_edges(graph, closure.names))):
        return at_most(not_a_consumer(graph, name, upstream) for name, upstream in edges)
    return Plan(tuple(_planned(graph, closure)))


def _planned(graph: Graph, closure: Closure) -> Iterator[PlannedTask]:
    # Joins shift what comes after them: `index_of` leads from the closure's indexes to the plan's.
    index_of: list[int] = []
    next_index = 0
    target = closure.names[-1]
    for name, upstream_in_closure in zip(closure.names, closure.upstream, strict=True):
        upstream = tuple([index_of[needed] for needed in upstream_in_closure])
        awaits = tuple(sorted(upstream))
        if len(upstream) > MAX_AWAITED:
            joins, awaits = _joins(name, upstream, next_index)
            yield from joins
            next_index += len(joins)
        index_of.append(next_index)
        next_index += 1
        yield _task(
            graph, name, upstream, awaits, kept=name == target or name in graph.wanted_fresh
        )


def _task(
    graph: Graph, name: str, upstream: tuple[int, ...], awaits: tuple[int, ...], *, kept: bool
) -> PlannedTask:
    server, declared = graph[name]
    return PlannedTask(
        name=name,
        server=server,
        upstream=upstream,
        awaits=awaits,
        params=params_named_by(declared.params_schema),
        retries=declared.retries,
        ack_timeout_s=declared.ack_timeout_s,
        start_timeout_s=declared.start_timeout_s,
        run_timeout_s=declared.run_timeout_s,
        owner=declared.owner,
        version=graph.version_of_task(name),
        kept=kept,
        retry_delay_s=declared.retry_delay_s,
        retry_backoff=declared.retry_backoff,
        retry_max_delay_s=declared.retry_max_delay_s,
        retry_jitter=declared.retry_jitter,
    )


def _joins(
    name: str, upstream: tuple[int, ...], first_index: int
) -> tuple[list[PlannedTask], tuple[int, ...]]:
    """Return a tree of joins over `upstream`, its lowest level first, and what is left to await.

    No task's name contains the `#` of a join's name.
    """
    joins: list[PlannedTask] = []
    level = 0
    # Adjacent tasks share a page, so a join over adjacent ones reads few pages.
    awaits = tuple(sorted(upstream))
    while len(awaits) > MAX_AWAITED:
        level += 1
        parts = _parts(awaits)
        indexes = range(first_index + len(joins), first_index + len(joins) + len(parts))
        joins += [
            PlannedTask(name=f"{name}#join-{level}-{n}", server="", awaits=part)
            for n, part in enumerate(parts)
        ]
        awaits = tuple(indexes)
    return joins, awaits


def _parts(indexes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return as few parts as hold at most MAX_AWAITED each, of nearly the same size."""
    count = -(-len(indexes) // MAX_AWAITED)
    bounds = [len(indexes) * part // count for part in range(count + 1)]
    return [indexes[begin:end] for begin, end in pairwise(bounds)]


def _unknown_task(graph: Graph, target: str) -> Problem:
    alike = near(target, graph)
    hint = f"did you mean {names_of(alike)}?" if alike else "`dyna tasks` lists the declared ones"
    return Problem(
        code="unknown_task",
        message=f"task {quoted(target)} is declared by no server: {hint}",
        path=[target],
    )


def _unresolved(graph: Graph, closure: Closure) -> Iterator[Problem]:
    target = closure.names[-1]
    paths = graph.shortest_paths_to_unresolved(target)
    for missing, users in closure.missing.items():
        needed_by = names_of([f"{user} ({graph.server_of(user)})" for user in users])
        yield Problem(
            code="unresolved_upstream",
            message=f"task {quoted(target)} cannot be invoked: upstream {quoted(missing)} is "
            f"declared by no server, needed by {needed_by}: declare it on a server, or remove it "
            "from upstream",
            path=short_path(paths[missing]),
        )

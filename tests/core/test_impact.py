"""Which tasks of other servers a change of the graph affects, beside a plain definition of it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, get_args

from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.declaration.decide import Accepted, decide, declare_batch
from cerebro.core.declaration.diff import rehearsal
from cerebro.core.declaration.graph_changes import graph_changes
from cerebro.core.graph.graph import Graph
from cordyna_core.contract.access import may_consume
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.incidents import GraphChanged
from cordyna_core.contract.views.rehearsal import Effect, TouchedTask
from world.declarations import declared, graph_of, params

NAMES = "pqrstuvw"
SERVERS = ("a", "b", "c")

# What a change of each field does by itself. A field that is not listed changes the invocation.
HARMLESS = {"owner", "description", "timezone", "overlap", "consumers", "invokers", "deprecated"}
HARMLESS |= {"until", "due", "cron", "retry_delay_s", "retry_backoff", "retry_max_delay_s"}
HARMLESS |= {"retry_jitter"}

FIELDS: Sequence[dict[str, Any]] = (
    {},
    {},
    {"cron": "0 6 * * *"},
    {"cron": "0 6 * * *", "timezone": "Europe/Berlin"},
    params("day"),
    params("day", "hour"),
    params(day="string"),
    {"consumers": []},
    {"consumers": ["b"]},
    {"description": "text", "owner": "team"},
    {"retries": 1},
)


def _task(name: str) -> st.SearchStrategy[dict[str, Any]]:
    upstream = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)
    return st.builds(
        lambda needed, fields: {"name": name, "upstream": needed, **fields},
        upstream.map(lambda names: [needed for needed in names if needed != name]),
        st.sampled_from(FIELDS),
    )


def _declaration(server: str) -> st.SearchStrategy[ServerDeclared]:
    names = st.lists(st.sampled_from(NAMES), max_size=4, unique=True)
    tasks = names.flatmap(lambda chosen: st.tuples(*map(_task, chosen)))
    return tasks.map(
        lambda described: ServerDeclared.model_validate({"server": server, "tasks": described})
    )


declarations = st.sampled_from(SERVERS).flatmap(_declaration)
batches = st.lists(declarations, min_size=1, max_size=3, unique_by=lambda one: one.server)


class Difference(NamedTuple):
    """One changed task: whether other tasks run for it, and whether it runs in another way."""

    task: str
    server: str
    is_other_closure: bool
    is_other_declaration: bool


def differences(before: Graph, after: Graph) -> Iterator[Difference]:
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            owner = now or was
            assert owner is not None
            yield Difference(name, owner.server, is_other_closure=True, is_other_declaration=False)
        elif was != now:
            old, new = was.task.model_dump(), now.task.model_dump()
            fields = {field for field in old if old[field] != new[field]}
            is_other = was.server != now.server or bool(fields - HARMLESS)
            yield Difference(name, now.server, "upstream" in fields, is_other)


def closure(graph: Graph, name: str) -> set[str]:
    """A task and all that it needs, declared or not."""
    return {name}.union(*(closure(graph, needed) for needed in graph.upstream_of(name)))


def has_missing(graph: Graph, name: str) -> bool:
    return any(needed not in graph for needed in closure(graph, name))


def is_closed(graph: Graph, user: str, upstream: str) -> bool:
    owner = graph.get(upstream)
    return owner is not None and not may_consume(
        graph[user].server, owner.server, owner.task.consumers
    )


def has_closed_edge(graph: Graph, name: str) -> bool:
    return any(
        is_closed(graph, user, upstream)
        for user in closure(graph, name)
        for upstream in graph.upstream_of(user)
    )


def needs_param(graph: Graph, name: str) -> bool:
    return any(
        (graph[needed].task.params_schema or {}).get("required")
        for needed in closure(graph, name)
        if needed in graph
    )


def is_refused_cron(graph: Graph, name: str) -> bool:
    return graph[name].task.cron is not None and needs_param(graph, name)


def effect_on(before: Graph, after: Graph, name: str, own: Sequence[Difference]) -> Effect | None:
    """The gravest effect on a task that is in both graphs."""
    needed = closure(after, name)
    effects: dict[Effect, bool] = {
        "unresolved": has_missing(after, name) and not has_missing(before, name),
        "not_allowed": has_closed_edge(after, name) and not has_closed_edge(before, name),
        "cron_needs_params": is_refused_cron(after, name) and not is_refused_cron(before, name),
        "resolved": has_missing(before, name) and not has_missing(after, name),
        "closure": any(change.is_other_closure and change.task in needed for change in own),
        "declaration": any(change.is_other_declaration and change.task in needed for change in own),
    }
    return next((effect for effect in get_args(Effect) if effects[effect]), None)


def expected(before: Graph, after: Graph, by: set[str]) -> list[tuple[str, Effect]]:
    """The affected tasks, the gravest effect first, each in the order of the graph."""
    own = [change for change in differences(before, after) if change.server in by]
    affected = [
        (name, effect)
        for name in after
        if name in before and after[name].server not in by and own
        if (effect := effect_on(before, after, name, own)) is not None
    ]
    return sorted(affected, key=lambda item: get_args(Effect).index(item[1]))


def causes(before: Graph, after: Graph, effect: Effect, by: set[str]) -> set[str]:
    """The tasks, or the missing names, at which a path of this effect ends."""
    own = [change for change in differences(before, after) if change.server in by]
    names = {*NAMES, *before, *after}
    match effect:
        case "unresolved":
            return names - {*after}
        case "resolved":
            return names - {*before}
        case "not_allowed":
            return {name for name in after if any(_closed_upstreams(after, name))}
        case "cron_needs_params":
            return {
                name for name in after if (after[name].task.params_schema or {}).get("required")
            }
        case "closure":
            return {change.task for change in own if change.is_other_closure}
        case "declaration":
            return {change.task for change in own if change.is_other_declaration}


def _closed_upstreams(graph: Graph, name: str) -> Iterator[str]:
    return (needed for needed in graph.upstream_of(name) if is_closed(graph, name, needed))


def distance(graph: Graph, name: str, targets: set[str]) -> int:
    """The number of edges from a task to the nearest of `targets` that it needs."""
    level, steps = {name}, 0
    while not level & targets:
        level = {needed for user in level for needed in graph.upstream_of(user)}
        steps += 1
        assert level, f"{name} needs none of {targets}"
    return steps


def assert_shortest_path(before: Graph, after: Graph, touched: TouchedTask, by: set[str]) -> None:
    graph = before if touched.effect == "resolved" else after
    path, targets = list(touched.path), causes(before, after, touched.effect, by)
    assert path[0] == touched.task
    assert all(needed in graph.upstream_of(user) for user, needed in pairwise(path))
    if touched.effect == "not_allowed":
        assert is_closed(graph, path[-2], path[-1])
        path.pop()
    assert path[-1] in targets
    assert len(path) - 1 == distance(graph, touched.task, targets)


def assert_published(before: Graph, after: Graph) -> list[GraphChanged]:
    changes = list(graph_changes(before, after, cause="c", now=0.0))
    for change in changes:
        assert change.affected == [name for name, _ in expected(before, after, {change.server})]
        own = [item for item in differences(before, after) if item.server == change.server]
        assert sorted([*change.added, *change.removed, *change.changed]) == sorted(
            item.task for item in own
        )
        assert all(name in after and name not in before for name in change.added)
        assert all(name in before and name not in after for name in change.removed)
    return changes


def assert_rehearsed(before: Graph, declaration: ServerDeclared, after: Graph) -> None:
    by, touched = {declaration.server}, rehearsal(before, [declaration]).touched
    assert [(item.task, item.effect) for item in touched] == expected(before, after, by)
    for item in touched:
        assert_shortest_path(before, after, item, by)


@given(st.lists(declarations, min_size=2, max_size=10))
def test_impact_of_declarations_equals_its_definition(new: list[ServerDeclared]) -> None:
    graph = Graph.of({})
    for declaration in new:
        outcome = decide(graph, declaration)
        if isinstance(outcome, Accepted):
            assert_published(graph, outcome.graph)
            assert_rehearsed(graph, declaration, outcome.graph)
            graph = outcome.graph


@given(st.lists(declarations, min_size=2, max_size=10), st.sampled_from(SERVERS))
def test_impact_of_a_removal_equals_its_definition(new: list[ServerDeclared], removed: str) -> None:
    graph = Graph.of({})
    for declaration in new:
        outcome = decide(graph, declaration)
        graph = outcome.graph if isinstance(outcome, Accepted) else graph
    others = {server: one for server, one in graph.declarations.items() if server != removed}
    changes = assert_published(graph, graph.with_servers(others))
    assert [change.server for change in changes] == [removed] * (removed in graph.declarations)


@given(st.lists(batches, min_size=2, max_size=5))
def test_impact_of_batches_equals_its_definition(new: list[list[ServerDeclared]]) -> None:
    graph = Graph.of({})
    for batch in new:
        after = declare_batch(batch, graph).graph
        assert_published(graph, after)
        graph = after


def test_impact_path_over_two_closed_edges_ends_at_the_first() -> None:
    before = graph_of(declared("a", "x"), declared("b", "y<-x"), declared("c", "z<-y  top<-z"))
    closed = [
        declared("a", "x", every={"consumers": []}),
        declared("b", "y<-x", every={"consumers": []}),
    ]
    touched = rehearsal(before, closed).touched
    assert [(item.effect, item.path) for item in touched] == [
        ("not_allowed", ["z", "y"]),
        ("not_allowed", ["top", "z", "y"]),
    ]


def test_impact_of_a_cycle_of_closed_edges_is_shown() -> None:
    before = graph_of(declared("a", "x"), declared("b", "y<-x"), declared("c", "z<-y"))
    cyclic = declared("a", "x<-y", every={"consumers": []})
    view = rehearsal(before, [cyclic, declared("b", "y<-x", every={"consumers": []})])
    assert [item.outcome for item in view.declarations] == ["rejected", "accepted"]
    assert [(item.task, item.effect, item.path) for item in view.touched] == [
        ("z", "not_allowed", ["z", "y"])
    ]


def test_impact_of_a_cycle_without_missing_names_is_resolved() -> None:
    before = graph_of(declared("a", "x<-m"), declared("b", "y<-x"))
    view = rehearsal(before, [declared("a", "m x<-y")])
    assert [item.outcome for item in view.declarations] == ["rejected"]
    assert [(item.task, item.effect) for item in view.touched] == [("y", "resolved")]


def test_impact_is_the_same_whatever_was_declared_before() -> None:
    """Of two shortest paths, it is the one through the first name."""
    a, b = declared("a", "x"), declared("b", "n<-x  m<-x  z<-n,m")
    retried = declared("a", "x", x={"retries": 1})
    stepwise = Graph.of({"b": declared("b", "z<-n,m  n<-x")}).with_servers({"b": b}, 1)
    assert stepwise.users.of("x") == ("m", "n")
    for before in (graph_of(a, b), stepwise.with_servers({"a": a, "b": b})):
        paths = {item.task: item.path for item in rehearsal(before, [retried]).touched}
        assert paths == {"n": ["n", "x"], "m": ["m", "x"], "z": ["z", "m", "x"]}

"""Declare: what is accepted, what is only a sign of life, and every reason for a refusal."""

import random
from itertools import pairwise
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.declaration import conflicts
from cerebro.core.declaration.decide import (
    Accepted,
    Batch,
    Outcome,
    Rejected,
    SignOfLife,
    decide,
    declare_batch,
)
from cerebro.core.graph.cycles import CYCLES_PER_COMPONENT_MAX
from cerebro.core.graph.graph import Graph, Head, version_of
from cerebro.core.validation import validate_declaration as validation
from cerebro.core.validation.problems import MAX_PROBLEMS
from cordyna_core.contract.base import Problem
from cordyna_core.contract.declaration import ServerDeclared
from world.declarations import declared, graph_of, params

NOTHING = Graph.of({})
CRON: dict[str, Any] = {"cron": "0 6 * * *"}


def problems(outcome: Outcome) -> tuple[Problem, ...]:
    assert isinstance(outcome, Rejected), outcome
    return outcome.problems


def codes(outcome: Outcome) -> list[str]:
    return [problem.code for problem in problems(outcome)]


def accepted(outcome: Outcome) -> Graph:
    assert isinstance(outcome, Accepted), outcome
    return outcome.graph


def outcomes(batch: Batch) -> dict[str, Outcome]:
    return {each.server: outcome for each, outcome in batch.outcomes}


# One declaration.


def test_a_first_declaration_is_accepted_and_makes_a_generation() -> None:
    a = declared("a", "x y<-x")
    outcome = decide(NOTHING, a)
    assert isinstance(outcome, Accepted)
    assert outcome.head == Head(1, {"a": version_of(a)})
    assert (outcome.declared, outcome.version) == (a, version_of(a))
    assert list(outcome.graph) == ["x", "y"]


def test_another_servers_declaration_leaves_the_first_as_it_is() -> None:
    a, b = declared("a", "x"), declared("b", "y<-x")
    graph = accepted(decide(graph_of(a), b))
    assert graph.head == Head(2, {"a": version_of(a), "b": version_of(b)})


def test_the_same_content_again_is_a_sign_of_life() -> None:
    assert decide(graph_of(declared("a", "x")), declared("a", "x")) == SignOfLife("same")


def test_a_lower_revision_is_a_sign_of_life_only() -> None:
    assert decide(
        graph_of(declared("a", "x", revision=2)), declared("a", "x y", revision=1)
    ) == SignOfLife("older_revision")


def test_a_lower_revision_is_not_even_looked_at() -> None:
    assert decide(
        graph_of(declared("a", "x", revision=2)), declared("a", "x<-x", revision=1)
    ) == SignOfLife("older_revision")


def test_a_higher_revision_counts_even_with_the_same_tasks_so_that_an_older_one_cannot_come_between() -> (
    None
):
    graph = accepted(
        decide(graph_of(declared("a", "x", revision=1)), declared("a", "x", revision=3))
    )
    assert decide(graph, declared("a", "other", revision=2)) == SignOfLife("older_revision")


def test_a_declaration_replaces_what_the_server_had() -> None:
    graph = accepted(decide(graph_of(declared("a", "x y")), declared("a", "y z")))
    assert list(graph) == ["y", "z"]


def test_a_server_may_declare_that_it_has_nothing() -> None:
    graph = accepted(decide(graph_of(declared("a", "x")), declared("a")))
    assert len(graph) == 0
    assert "a" in graph.head.servers


def test_an_upstream_that_nobody_declares_is_accepted_because_teams_deploy_in_any_order() -> None:
    graph = accepted(decide(NOTHING, declared("b", "y<-x")))
    assert graph.unresolved == {"x": ("y",)}
    assert accepted(decide(graph, declared("a", "x"))).unresolved == {}


def test_a_name_that_another_server_owns_is_refused() -> None:
    (problem,) = problems(decide(graph_of(declared("a", "x")), declared("b", "x")))
    assert problem.code == "owned_by_another"
    assert problem.path == ["x"]
    assert (
        problem.message
        == 'task "x" of b belongs to a: choose another name, or let a declare without it first'
    )


def test_a_name_is_free_again_when_its_owner_declares_without_it() -> None:
    graph = accepted(decide(graph_of(declared("a", "x")), declared("a", "y")))
    assert accepted(decide(graph, declared("b", "x"))).server_of("x") == "b"


def test_a_cycle_across_servers_is_refused_and_names_the_way_and_the_servers() -> None:
    (problem,) = problems(decide(graph_of(declared("a", "x<-y")), declared("b", "y<-x")))
    assert problem.code == "cycle"
    assert problem.path == ["y", "x", "y"]
    assert (
        problem.message
        == "tasks need each other: y (b) needs x (a) needs y (b): take one of these upstreams out"
    )


def test_a_cycle_within_one_declaration_is_refused() -> None:
    (problem,) = problems(decide(NOTHING, declared("a", "x<-z y<-x z<-y free needs<-x")))
    assert (problem.code, problem.path) == ("cycle", ["x", "z", "y", "x"])


def test_every_knot_of_cycles_is_told() -> None:
    found = problems(decide(NOTHING, declared("a", "a<-b b<-a c<-d,a d<-c e<-c")))
    assert [problem.path for problem in found] == [["a", "b", "a"], ["c", "d", "c"]]


def test_two_cycles_of_one_knot_that_share_no_task_are_both_told() -> None:
    found = problems(decide(NOTHING, declared("a", "a<-b,d b<-a,c c<-d d<-c,a")))
    assert [problem.path for problem in found] == [["a", "b", "a"], ["c", "d", "c"]]


def test_the_shortest_cycle_is_told() -> None:
    (problem, *_) = problems(decide(NOTHING, declared("a", "x<-p,z p<-q q<-x z<-x")))
    assert problem.path == ["x", "z", "x"]


def test_of_a_huge_knot_only_some_cycles_are_told() -> None:
    pairs = " ".join(f"u{n}<-v{n},u{(n + 1) % 50} v{n}<-u{n}" for n in range(50))
    assert len(problems(decide(NOTHING, declared("a", pairs)))) == CYCLES_PER_COMPONENT_MAX


def test_a_long_cycle_is_told_by_its_ends() -> None:
    chain = " ".join(f"t{n}<-t{n + 1}" for n in range(999)) + " t999<-t0"
    (problem,) = problems(decide(NOTHING, declared("a", chain)))
    assert problem.path is not None
    assert len(problem.path) == 101
    assert problem.path[0] == problem.path[-1] == "t0"
    assert "..." in problem.path
    assert len(problem.message) < 1000


def test_a_task_that_needs_itself_is_a_cycle_of_one() -> None:
    (problem,) = problems(decide(NOTHING, declared("a", "x<-x")))
    assert (problem.code, problem.path) == ("cycle", ["x", "x"])
    assert problem.message == 'task "x" needs itself: remove it from its own upstream'


def test_a_task_that_is_declared_twice_is_refused() -> None:
    (problem,) = problems(decide(NOTHING, declared("a", "x x y")))
    assert (problem.code, problem.path) == ("duplicate_task", ["x"])


def test_an_upstream_that_is_named_twice_is_refused() -> None:
    (problem,) = problems(decide(NOTHING, declared("a", "x y<-x,x")))
    assert (problem.code, problem.path) == ("duplicate_upstream", ["y", "x"])


def test_a_task_that_is_refused_anyway_makes_no_cycle() -> None:
    assert codes(decide(graph_of(declared("a", "x y<-x")), declared("b", "x<-z z<-y"))) == [
        "owned_by_another"
    ]


def test_what_stands_is_told_no_problems() -> None:
    fresh, standing = {"b": declared("b", "y<-x")}, {"a": declared("a", "x<-y")}
    assert list(conflicts.conflicts(fresh, standing, NOTHING)) == ["b"]
    assert conflicts.conflicts({}, standing, NOTHING) == {}


def test_every_problem_is_told_at_once() -> None:
    graph = graph_of(declared("a", "taken p<-q"))
    bad = declared(
        "b",
        "taken twice twice self<-self edges<-self,self q<-p",
        self={"params_schema": {"type": "string"}},
    )
    assert codes(decide(graph, bad)) == [
        "duplicate_task",
        "cycle",
        "duplicate_upstream",
        "bad_schema",
        "owned_by_another",
        "cycle",
    ]


def test_more_problems_than_fit_into_an_event_are_counted() -> None:
    found = problems(
        decide(NOTHING, declared("a", " ".join(f"t{n}<-t{n}" for n in range(MAX_PROBLEMS + 50))))
    )
    assert len(found) == MAX_PROBLEMS + 1
    assert (found[-1].code, found[-1].message) == ("more", "and 50 more problems of these kinds")


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "array"}, '$.type: must be "object"'),
        ({}, '$.type: must be "object"'),
        ({"type": "object", "properties": {"n": {"type": "integr"}}}, "$.properties.n.type"),
        ({"type": "object", "properties": {"n": {"pattern": "("}}}, "$.properties.n.pattern"),
        (
            {"type": "object", "properties": {"n": {"pattern": "a{99999999999}"}}},
            "cannot be checked",
        ),
        (
            {"type": "object", "properties": {"n": {"$ref": "https://example.com/x"}}},
            "is outside the schema",
        ),
        ({"type": "object", "properties": {"n": {"$ref": "#/$defs/gone"}}}, "leads to no schema"),
        (
            {"type": "object", "properties": {"n": {"$ref": "#/required"}}, "required": ["n"]},
            "leads to no schema",
        ),
        (
            {
                "type": "object",
                "properties": {
                    "n": {"default": {"type": 5}},
                    "m": {"$ref": "#/properties/n/default"},
                },
            },
            "leads to no schema",
        ),
        (
            {"type": "object", "properties": {"n": {"$id": "https://example.com/x"}}},
            "is allowed only at the root",
        ),
    ],
)
def test_what_is_no_schema_of_parameters_is_refused(schema: dict[str, Any], fault: str) -> None:
    (problem,) = problems(decide(NOTHING, declared("a", "x", x={"params_schema": schema})))
    assert (problem.code, problem.path) == ("bad_schema", ["x"])
    assert fault in problem.message


@pytest.mark.parametrize("reference", ["#/$defs/day", "#day"])
def test_a_schema_may_refer_to_its_own_parts(reference: str) -> None:
    schema = {
        "type": "object",
        "properties": {"d": {"$ref": reference}},
        "$defs": {"day": {"type": "string", "$anchor": "day"}},
    }
    assert isinstance(decide(NOTHING, declared("a", "x", x={"params_schema": schema})), Accepted)


def test_a_schema_may_say_at_its_root_what_it_is() -> None:
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.com/x",
        "type": "object",
    }
    schema |= {"properties": {"d": {"$ref": "#/$defs/day"}}, "$defs": {"day": {"type": "string"}}}
    assert isinstance(decide(NOTHING, declared("a", "x", x={"params_schema": schema})), Accepted)


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = {
        "type": "object",
        "properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}},
    }
    assert isinstance(decide(NOTHING, declared("a", "x", x={"params_schema": schema})), Accepted)


def test_a_schema_that_is_nested_beyond_reason_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"not": deep}
    # Set in past the message, which does not let such depth through.
    task = declared("a", "x").tasks[0].model_copy(update={"params_schema": deep})
    (problem,) = validation._bad_schemas([task])
    assert "nested too deeply" in problem.message


def test_quotas_of_a_declaration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "MAX_DECLARATION_BYTES", 100)
    monkeypatch.setattr(validation, "MAX_TASKS", 3)
    monkeypatch.setattr(validation, "MAX_UPSTREAMS", 2)
    assert codes(decide(NOTHING, declared("a", "p q x<-p,q,r y"))) == [
        "too_large",
        "too_many_tasks",
        "too_many_upstreams",
    ]
    assert isinstance(decide(NOTHING, declared("a", "p q x<-p,q")), Accepted)


def test_the_quotas_are_those_of_the_design() -> None:
    assert (
        validation.MAX_DECLARATION_BYTES,
        validation.MAX_TASKS,
        validation.MAX_UPSTREAMS,
    ) == (921_600, 10_000, 10_000)
    assert conflicts.MAX_TASKS_IN_GRAPH == 200_000


def test_the_quota_of_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "MAX_TASKS_IN_GRAPH", 3)
    graph = graph_of(declared("a", "x y"))
    assert codes(decide(graph, declared("b", "p q"))) == ["graph_full"]
    assert isinstance(decide(graph, declared("b", "p")), Accepted)


@given(st.integers(0, 10_000), st.integers(2, 12))
def test_a_declaration_is_refused_for_a_cycle_exactly_when_networkx_finds_one(
    seed: int, size: int
) -> None:
    luck = random.Random(seed)
    edges = {
        n: sorted(set(luck.choices([m for m in range(size) if m != n], k=luck.randrange(3))))
        for n in range(size)
    }
    servers: dict[str, list[str]] = {"a": [], "b": []}
    for n, ups in edges.items():
        servers[luck.choice("ab")].append(
            f"t{n}<-{','.join(f't{up}' for up in ups)}" if ups else f"t{n}"
        )
    network: nx.DiGraph[int] = nx.DiGraph([(n, up) for n, ups in edges.items() for up in ups])
    first = decide(NOTHING, declared("a", " ".join(servers["a"])))
    if isinstance(first, Accepted):
        outcome = decide(first.graph, declared("b", " ".join(servers["b"])))
        assert isinstance(outcome, Accepted) == nx.is_directed_acyclic_graph(network)
    else:
        outcome = first
    for problem in problems(outcome) if isinstance(outcome, Rejected) else ():
        assert problem.code == "cycle"
        assert problem.path is not None
        assert problem.path[0] == problem.path[-1]
        steps = [int(name[1:]) for name in problem.path]
        assert all(network.has_edge(one, other) for one, other in pairwise(steps))


# A batch.


def test_a_batch_is_exactly_the_servers_it_was_given() -> None:
    before = graph_of(declared("a", "x"), declared("gone", "y"))
    batch = declare_batch([declared("a", "x"), declared("b", "z")], before)
    assert batch.graph.head == Head(
        2, {"a": version_of(declared("a", "x")), "b": version_of(declared("b", "z"))}
    )
    assert outcomes(batch)["a"] == SignOfLife("same")
    assert accepted(outcomes(batch)["b"]) is batch.graph


def test_a_batch_that_says_nothing_new_makes_no_generation() -> None:
    before = graph_of(declared("a", "x"))
    assert declare_batch([declared("a", "x")], before).graph is before


def test_a_batch_that_only_leaves_a_server_out_makes_a_generation() -> None:
    batch = declare_batch([declared("a", "x")], graph_of(declared("a", "x"), declared("b", "y")))
    assert batch.graph.generation == 2
    assert list(batch.graph) == ["x"]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_in_a_batch_a_name_may_move_in_whatever_order_they_declare(order: tuple[str, str]) -> None:
    before = graph_of(declared("a", "x y"), declared("b", "z"))
    after = {"a": declared("a", "y"), "b": declared("b", "z x")}
    batch = declare_batch([after[server] for server in order], before)
    assert batch.graph.server_of("x") == "b"


def test_in_a_batch_two_servers_may_swap_their_tasks() -> None:
    batch = declare_batch(
        [declared("a", "y"), declared("b", "x")], graph_of(declared("a", "x"), declared("b", "y"))
    )
    assert (batch.graph.server_of("x"), batch.graph.server_of("y")) == ("b", "a")


def test_in_a_batch_who_had_a_name_keeps_it() -> None:
    batch = declare_batch([declared("b", "x"), declared("a", "x y")], graph_of(declared("a", "x")))
    assert codes(outcomes(batch)["b"]) == ["owned_by_another"]
    assert batch.graph.server_of("x") == batch.graph.server_of("y") == "a"


def test_in_a_batch_the_first_gets_a_name_that_nobody_had() -> None:
    batch = declare_batch([declared("b", "x"), declared("a", "x")])
    assert batch.graph.server_of("x") == "b"
    assert codes(outcomes(batch)["a"]) == ["owned_by_another"]


def test_in_a_batch_the_last_to_close_a_cycle_is_rejected_and_the_others_stand() -> None:
    batch = declare_batch([declared("a", "x<-y"), declared("b", "y<-x"), declared("c", "z<-x")])
    assert codes(outcomes(batch)["b"]) == ["cycle"]
    assert list(batch.graph) == ["x", "z"]


def test_in_a_batch_what_stood_is_not_in_the_wrong() -> None:
    batch = declare_batch(
        [declared("b", "y<-x"), declared("a", "x<-y")], graph_of(declared("a", "x<-y"))
    )
    assert outcomes(batch)["a"] == SignOfLife("same")
    assert codes(outcomes(batch)["b"]) == ["cycle"]


def test_in_a_batch_a_rejected_server_keeps_what_it_had_and_nobody_gets_it() -> None:
    before = graph_of(declared("a", "x"))
    batch = declare_batch([declared("a", "y<-y"), declared("b", "x")], before)
    assert codes(outcomes(batch)["a"]) == ["cycle"]
    assert codes(outcomes(batch)["b"]) == ["owned_by_another"]
    assert batch.graph is before


def test_in_a_batch_a_faulty_declaration_is_told_its_conflicts_too() -> None:
    batch = declare_batch([declared("b", "x y<-y")], graph_of(declared("a", "z")))
    assert codes(outcomes(batch)["b"]) == ["cycle"]
    batch = declare_batch([declared("a", "x"), declared("b", "x y<-y")])
    assert codes(outcomes(batch)["b"]) == ["cycle", "owned_by_another"]


def test_in_a_batch_a_rejected_server_that_had_nothing_still_stands_with_nothing() -> None:
    batch = declare_batch([declared("a", "x<-x"), declared("b", "y")], graph_of(declared("a")))
    assert batch.graph.declarations == {"a": declared("a"), "b": declared("b", "y")}


def test_in_a_batch_revisions_do_not_count() -> None:
    batch = declare_batch(
        [declared("a", "y", revision=1)], graph_of(declared("a", "x", revision=2))
    )
    assert list(batch.graph) == ["y"]


def test_in_a_batch_a_server_may_not_be_declared_twice_with_different_tasks() -> None:
    batch = declare_batch([declared("a", "x"), declared("a", "y"), declared("a", "x")])
    first, second, third = (outcome for _, outcome in batch.outcomes)
    assert accepted(first) is batch.graph
    assert codes(second) == ["duplicate_server"]
    assert accepted(third) is batch.graph
    assert list(batch.graph) == ["x"]


@given(st.integers(0, 10_000))
def test_whatever_a_batch_brings_its_graph_is_sound_and_holds_what_was_accepted(seed: int) -> None:
    luck = random.Random(seed)

    def some(server: str) -> ServerDeclared:
        names = luck.sample("pqrstu", k=luck.randrange(4))
        return declared(
            server,
            " ".join(
                f"{name}<-{luck.choice('pqrstu')}" if luck.random() < 0.6 else name
                for name in names
            ),
        )

    before = declare_batch([some(server) for server in "abc"]).graph
    batch = declare_batch([some(server) for server in "bcd"], before)
    assert batch.graph.without_order == ()
    assert len(batch.graph) == sum(len(each.tasks) for each in batch.graph.declarations.values())
    for each, outcome in batch.outcomes:
        standing = batch.graph.declarations.get(each.server)
        assert standing == (
            before.declarations.get(each.server) if isinstance(outcome, Rejected) else each
        )


# Crons that need params.


@pytest.mark.parametrize(
    ("tasks", "fields", "paths"),
    [
        ("t", {"t": params("day", day="string") | CRON}, [["t"]]),
        ("t u<-t", {"t": params("day", day="string"), "u": CRON}, [["u", "t"]]),
        (
            "t u<-t v<-u w<-u",
            {"t": params("day"), "v": CRON, "w": CRON},
            [["v", "t"], ["w", "t"]],
        ),
        ("t u<-t", {"t": params(day="string") | CRON, "u": CRON}, []),
        ("t u<-t", {"t": CRON, "u": params("day", day="string")}, []),
        ("t u<-other", {"u": CRON, "t": params("day")}, []),
        ("t", {"t": {"params_schema": {"type": "object", "required": []}} | CRON}, []),
    ],
)
def test_cron_of_closure_that_needs_params_is_refused(
    tasks: str, fields: dict[str, Any], paths: list[list[str]]
) -> None:
    outcome = decide(NOTHING, declared("a", tasks, **fields))

    if not paths:
        assert isinstance(outcome, Accepted)
        return
    assert [problem.path for problem in problems(outcome)] == paths
    assert set(codes(outcome)) == {"cron_needs_params"}


def test_cron_needs_params_names_the_parameter_and_the_way_out() -> None:
    outcome = decide(NOTHING, declared("a", "t u<-t", t=params("day"), u=CRON))

    (problem,) = problems(outcome)
    assert problem.message == (
        'task "u" has a cron, and parameter "day" of its upstream "t" has no default, '
        "which a tick cannot give: give it a default"
    )


def test_cron_of_ten_thousand_tasks_is_checked_in_linear_time() -> None:
    chain = "t0 " + " ".join(f"t{n}<-t{n - 1}" for n in range(1, 10_000))
    fields: dict[str, Any] = {f"t{n}": CRON for n in range(1, 10_000)}
    outcome = decide(NOTHING, declared("a", chain, t0=params("day"), **fields))

    assert len(problems(outcome)) == MAX_PROBLEMS + 1


@given(st.data())
def test_crons_refused_are_those_whose_closure_needs_params(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    edges = data.draw(
        st.sets(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(
                lambda edge: edge[0] < edge[1]
            )
        )
    )
    needing = data.draw(st.sets(st.integers(0, count - 1)))
    crons = data.draw(st.sets(st.integers(0, count - 1)))
    upstream = {n: [f"t{up}" for up, down in sorted(edges) if down == n] for n in range(count)}
    text = " ".join(
        f"t{n}" + (f"<-{','.join(upstream[n])}" if upstream[n] else "") for n in range(count)
    )
    fields: dict[str, Any] = {
        f"t{n}": (params("p") if n in needing else {}) | (CRON if n in crons else {})
        for n in range(count)
    }
    graph = nx.DiGraph(list(edges))
    graph.add_nodes_from(range(count))
    expected = {f"t{n}" for n in crons if needing & (nx.ancestors(graph, n) | {n})}

    outcome = decide(NOTHING, declared("a", text, **fields))

    refused = problems(outcome) if isinstance(outcome, Rejected) else ()
    assert {(problem.path or [""])[0] for problem in refused} == expected

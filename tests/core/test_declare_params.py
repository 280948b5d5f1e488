"""Declare parameters: which schemas are accepted, and crons that need params."""

import sys
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.declaration.decide import (
    Accepted,
    Rejected,
    decide,
)
from cerebro.core.validation import validate_declaration as validation
from cerebro.core.validation.problems import MAX_PROBLEMS
from core.decisions import CRON, NOTHING, codes, problems
from world.declarations import declared, params


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
def test_schema_invalid_is_refused_with_its_place(schema: dict[str, Any], fault: str) -> None:
    (problem,) = problems(decide(NOTHING, declared("a", "x", x={"params_schema": schema})))
    assert (problem.code, problem.path) == ("bad_schema", ["x"])
    assert fault in problem.message


@pytest.mark.parametrize("reference", ["#/$defs/day", "#day"])
def test_schema_reference_to_own_part_is_accepted(reference: str) -> None:
    schema = {
        "type": "object",
        "properties": {"d": {"$ref": reference}},
        "$defs": {"day": {"type": "string", "$anchor": "day"}},
    }
    assert isinstance(decide(NOTHING, declared("a", "x", x={"params_schema": schema})), Accepted)


def test_schema_id_at_the_root_is_accepted() -> None:
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.com/x",
        "type": "object",
    }
    schema |= {"properties": {"d": {"$ref": "#/$defs/day"}}, "$defs": {"day": {"type": "string"}}}
    assert isinstance(decide(NOTHING, declared("a", "x", x={"params_schema": schema})), Accepted)


def test_schema_property_named_like_a_keyword_is_accepted() -> None:
    schema = {
        "type": "object",
        "properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}},
    }
    assert isinstance(decide(NOTHING, declared("a", "x", x={"params_schema": schema})), Accepted)


def test_schema_nested_too_deeply_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(2 * sys.getrecursionlimit()):
        deep = {"not": deep}
    # Set in past the message, which does not let such depth through.
    task = declared("a", "x").tasks[0].model_copy(update={"params_schema": deep})
    (problem,) = validation._bad_schemas([task])
    assert "nested too deeply" in problem.message


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
    graph: nx.DiGraph[int] = nx.DiGraph(list(edges))
    graph.add_nodes_from(range(count))
    expected = {f"t{n}" for n in crons if needing & (nx.ancestors(graph, n) | {n})}

    outcome = decide(NOTHING, declared("a", text, **fields))

    refused = problems(outcome) if isinstance(outcome, Rejected) else ()
    assert {(problem.path or [""])[0] for problem in refused} == expected

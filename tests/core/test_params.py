"""Params: which parameters a run may and must have, and the problems of those that do not fit."""

from typing import Any

import pytest

from cerebro.core.planning.params import check_params
from cordyna_core.contract.base import Problem
from world.declarations import a_graph, declared, graph_of, params, planned


def check(values: dict[str, Any], **fields: Any) -> tuple[Problem, ...]:
    """The problems of `values` for y, which needs x, both of server a."""
    graph = a_graph("x y<-x", **fields)
    return check_params(graph, planned(graph, "y"), values)


def test_param_named_by_the_closure_is_accepted() -> None:
    assert check({"day": "monday"}, x=params(day="string")) == ()


def test_param_unknown_is_refused_with_near_name() -> None:
    (problem,) = check({"dayy": 1}, x=params(day="string", n="integer"))
    assert (problem.code, problem.message) == (
        "unknown_param",
        'no task of this run has a parameter "dayy": did you mean day?',
    )


def test_param_unlike_any_is_refused_with_the_known() -> None:
    (problem,) = check({"colour": 1}, x=params(day="string"), y=params(n="integer"))
    assert problem.message == 'no task of this run has a parameter "colour": they know day, n'


def test_param_for_tasks_without_params_is_refused() -> None:
    (problem,) = check({"day": 1})
    assert problem.message == 'no task of this run has a parameter "day": they take none'


def test_param_missing_lists_the_tasks_that_need_it() -> None:
    (problem,) = check(
        {}, x=params("day", day="string"), y=params("day", day="string", n="integer")
    )
    assert (problem.code, problem.path) == ("missing_param", ["x", "y"])
    assert problem.message == 'parameter "day" is missing: x (a), y (a) cannot run without it'


def test_param_required_but_not_described_is_accepted() -> None:
    assert check({"day": 1}, x=params("day")) == ()


def test_param_value_unfit_is_refused_with_its_place() -> None:
    (problem,) = check(
        {"o": {"n": "five"}},
        x=params(o={"type": "object", "properties": {"n": {"type": "integer"}}}),
    )
    assert (problem.code, problem.path) == ("bad_param", ["x"])
    assert problem.message == "parameter o.n does not suit x (a): 'five' is not of type 'integer'"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "true"), (None, "null"), ([None, "é"], '[null, "é"]'), ({"a": False}, '{"a": false}')],
)
def test_param_value_unfit_is_shown_as_json(value: Any, shown: str) -> None:
    (typed,) = check({"n": value}, x=params(n={"type": "integer"}))
    (chosen,) = check({"n": value}, x=params(n={"enum": ["a"]}))

    assert typed.message == f"parameter n does not suit x (a): {shown} is not of type 'integer'"
    assert chosen.message == f"parameter n does not suit x (a): {shown} is not one of ['a']"


def test_param_date_is_checked() -> None:
    (problem,) = check({"day": "yesterday"}, x=params(day={"type": "string", "format": "date"}))
    assert (
        problem.message == "parameter day does not suit x (a): "
        "'yesterday' is not of the format date, such as 2026-01-31"
    )


def test_param_problems_are_all_listed() -> None:
    problems = check(
        {"n": "five", "m": 1, "foo": 1},
        x=params("day", n="integer", m="string"),
        y=params(n="integer"),
    )
    assert [problem.code for problem in problems] == [
        "unknown_param",
        "bad_param",
        "bad_param",
        "bad_param",
        "missing_param",
    ]


def test_param_is_given_to_tasks_that_name_it() -> None:
    closed = {
        "params_schema": {
            "type": "object",
            "properties": {"day": {}},
            "additionalProperties": False,
        }
    }
    assert check({"day": "monday", "n": 1}, x=closed, y=params(n="integer")) == ()


def test_param_object_without_required_key_is_refused() -> None:
    (problem,) = check({"o": {}}, x=params(o={"type": "object", "required": ["n"]}))
    assert (problem.code, problem.message) == (
        "bad_param",
        "parameter o does not suit x (a): 'n' is a required property",
    )


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"$ref": "#/properties/p"}, 1),
        # An accepted schema has none of these; and whatever happens, nothing is fetched.
        ({"$ref": "https://example.invalid/schema"}, 1),
    ],
)
def test_param_that_cannot_be_checked_is_refused(schema: dict[str, Any], value: Any) -> None:
    (problem,) = check({"p": value}, x=params(p=schema))
    assert problem.code == "bad_param"
    assert "cannot be checked" in problem.message


def test_schema_reference_is_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[object] = []
    monkeypatch.setattr("urllib.request.urlopen", fetched.append)
    check({"p": 1}, x=params(p={"$ref": "https://example.invalid/schema"}))
    assert fetched == []


def test_param_problem_of_wide_closure_names_some_tasks() -> None:
    names = [f"u{n}" for n in range(101)]
    fields: dict[str, Any] = {name: params("day") for name in names}
    graph = graph_of(
        declared("a", " ".join(names), **fields), declared("b", f"x<-{','.join(names)}")
    )
    (problem,) = check_params(graph, planned(graph, "x"), {})
    assert (
        problem.message
        == 'parameter "day" is missing: u0 (a), u1 (a), u2 (a), u3 (a), u4 (a) and 96 more '
        "cannot run without it"
    )

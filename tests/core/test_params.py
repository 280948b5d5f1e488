"""Params: which parameters a run may and must have, and what is said when they do not fit."""

from typing import Any

import pytest

from cerebro.core.planning.params import check_params
from cordyna_core.contract.base import Problem
from world.declarations import a_graph, declared, graph_of, params, planned


def check(given: dict[str, Any], **fields: Any) -> tuple[Problem, ...]:
    """The problems of `given` for y, which needs x, both of server a."""
    graph = a_graph("x y<-x", **fields)
    return check_params(graph, planned(graph, "y"), given)


def test_a_parameter_that_a_task_of_the_closure_names_is_taken() -> None:
    assert check({"day": "monday"}, x=params(day="string")) == ()


def test_a_parameter_that_no_task_names_is_refused_with_a_near_name() -> None:
    (problem,) = check({"dayy": 1}, x=params(day="string", n="integer"))
    assert (problem.code, problem.message) == (
        "unknown_param",
        'no task of this run has a parameter "dayy": did you mean day?',
    )


def test_a_parameter_that_resembles_none_is_refused_with_those_there_are() -> None:
    (problem,) = check({"colour": 1}, x=params(day="string"), y=params(n="integer"))
    assert problem.message == 'no task of this run has a parameter "colour": they know day, n'


def test_a_parameter_for_tasks_that_take_none_is_refused() -> None:
    (problem,) = check({"day": 1})
    assert problem.message == 'no task of this run has a parameter "day": they take none'


def test_a_required_parameter_that_is_missing_is_told_with_the_tasks_that_need_it() -> None:
    (problem,) = check(
        {}, x=params("day", day="string"), y=params("day", day="string", n="integer")
    )
    assert (problem.code, problem.path) == ("missing_param", ["x", "y"])
    assert problem.message == 'parameter "day" is missing: x (a), y (a) cannot run without it'


def test_a_parameter_that_is_required_without_being_described_may_be_given() -> None:
    assert check({"day": 1}, x=params("day")) == ()


def test_a_value_that_does_not_fit_is_told_with_its_place() -> None:
    (problem,) = check(
        {"o": {"n": "five"}},
        x=params(o={"type": "object", "properties": {"n": {"type": "integer"}}}),
    )
    assert (problem.code, problem.path) == ("bad_param", ["x"])
    assert problem.message == "parameter o.n does not suit x (a): 'five' is not of type 'integer'"


def test_a_date_must_be_one() -> None:
    (problem,) = check({"day": "yesterday"}, x=params(day={"type": "string", "format": "date"}))
    assert problem.message == "parameter day does not suit x (a): 'yesterday' is not of the format date, such as 2026-01-31"


def test_every_problem_is_told_at_once() -> None:
    found = check(
        {"n": "five", "m": 1, "foo": 1},
        x=params("day", n="integer", m="string"),
        y=params(n="integer"),
    )
    assert [problem.code for problem in found] == [
        "unknown_param",
        "bad_param",
        "bad_param",
        "bad_param",
        "missing_param",
    ]


def test_a_task_is_given_only_what_its_schema_names() -> None:
    closed = {
        "params_schema": {
            "type": "object",
            "properties": {"day": {}},
            "additionalProperties": False,
        }
    }
    assert check({"day": "monday", "n": 1}, x=closed, y=params(n="integer")) == ()


def test_what_an_object_inside_lacks_is_a_value_that_does_not_fit() -> None:
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
def test_what_cannot_be_checked_is_refused(schema: dict[str, Any], value: Any) -> None:
    (problem,) = check({"p": value}, x=params(p=schema))
    assert problem.code == "bad_param"
    assert "cannot be checked" in problem.message


def test_a_schema_never_makes_cerebro_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[object] = []
    monkeypatch.setattr("urllib.request.urlopen", fetched.append)
    check({"p": 1}, x=params(p={"$ref": "https://example.invalid/schema"}))
    assert fetched == []


def test_a_wide_closure_names_only_some_of_its_tasks() -> None:
    names = [f"u{n}" for n in range(101)]
    fields: dict[str, Any] = {name: params("day") for name in names}
    graph = graph_of(
        declared("a", " ".join(names), **fields), declared("b", f"x<-{','.join(names)}")
    )
    (problem,) = check_params(graph, planned(graph, "x"), {})
    assert (
        problem.message
        == 'parameter "day" is missing: u0 (a), u1 (a), u2 (a), u3 (a), u4 (a) and 96 more cannot run without it'
    )

"""Parse a declaration: the problems with its form, by task and field, each fault once."""

from typing import Any

import pytest

from cerebro.core.validation.parse_declaration import parse_declaration
from cordyna_core.contract.declaration import ServerDeclared


def faults(detail: dict[str, Any]) -> list[tuple[str, str]]:
    parsed = parse_declaration(detail)
    assert isinstance(parsed, tuple), parsed
    return [(problem.code, problem.message) for problem in parsed]


def fault_of(**fields: Any) -> tuple[str, str]:
    """The one fault of task "x" with these fields."""
    (fault,) = faults({"server": "a", "tasks": [{"name": "x", **fields}]})
    return fault


def test_parse_valid_declaration_is_read() -> None:
    parsed = parse_declaration(
        {
            "server": "a",
            "tasks": [
                {"name": "x"},
                {"name": "y", "upstream": ["x", {"task": "z", "within_s": 60}]},
            ],
        }
    )
    assert isinstance(parsed, ServerDeclared)
    assert parsed.tasks[1].upstream_names == ("x", "z")


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        (
            {"cron": "0 25 * * *"},
            "bad_cron",
            "task \"x\": cron: cron '0 25 * * *': hour '25': '25' is not an allowed value",
        ),
        (
            {"timezone": "Mars/Base"},
            "bad_timezone",
            "task \"x\": timezone: unknown time zone 'Mars/Base': use an IANA name",
        ),
        (
            {"ack_timeout_s": 0},
            "bad_clock",
            'task "x": ack_timeout_s: Input should be greater than or equal to 1',
        ),
        (
            {"start_timeout_s": "soon"},
            "bad_clock",
            'task "x": start_timeout_s: Input should be a valid integer',
        ),
        (
            {"run_timeout_s": 10**9},
            "bad_clock",
            'task "x": run_timeout_s: Input should be less than or equal to',
        ),
        (
            {"retries": 21},
            "bad_value",
            'task "x": retries: Input should be less than or equal to 20',
        ),
        (
            {"overlap": "maybe"},
            "bad_value",
            "task \"x\": overlap: Input should be 'skip' or 'allow'",
        ),
        ({"params_schema": [1]}, "bad_schema", 'task "x": params_schema: '),
        (
            {"retrys": 1},
            "unknown_field",
            'task "x": retrys: there is no such field: remove it, or check its spelling',
        ),
        (
            {"upstream": ["a b"]},
            "bad_name",
            'task "x": upstream[0]: "a b" is not a name: begin with a letter or a digit',
        ),
        ({"upstream": ["y", 5]}, "bad_upstream", 'task "x": upstream[1]: '),
        ({"upstream": "y"}, "bad_upstream", 'task "x": upstream: Input should be a valid list'),
        (
            {"upstream": [{"task": "y", "within_s": 0}]},
            "bad_upstream",
            'task "x": upstream[0].within_s: ',
        ),
        ({"upstream": [{"task": "!"}]}, "bad_name", 'task "x": upstream[0].task: "!" is not a'),
        (
            {"upstream": [{"task": "y", "whithin_s": 1}]},
            "unknown_field",
            'task "x": upstream[0].whithin_s: ',
        ),
        ({"upstream": [{}]}, "missing_field", 'task "x": upstream[0].task: it is missing'),
    ],
)
def test_parse_fault_names_task_field_and_way_out(
    fields: dict[str, Any], code: str, message: str
) -> None:
    parsed = fault_of(**fields)
    assert parsed[0] == code
    assert parsed[1].startswith(message)


def test_parse_bad_name_is_quoted_and_shortened() -> None:
    ((code, message),) = faults(
        {"server": "a", "tasks": [{"name": "evil\r\nname <b>" + "x" * 10_000}]}
    )
    assert code == "bad_name"
    assert "\n" not in message
    assert "\r" not in message
    assert len(message) < 1000


def test_parse_task_without_name_is_named_by_index() -> None:
    assert faults({"server": "a", "tasks": [{}, 7]}) == [
        ("missing_field", "tasks[0]: name: it is missing"),
        (
            "bad_value",
            "tasks[1]: Input should be a valid dictionary or instance of TaskDeclaration",
        ),
    ]


def test_parse_fault_of_the_server_names_no_task() -> None:
    parsed = faults({"server": "my server", "revision": -1, "extra": 1, "tasks": 5})
    assert [code for code, _ in parsed] == [
        "bad_name",
        "bad_value",
        "bad_value",
        "unknown_field",
    ]
    assert parsed[0][1].startswith('server: "my server" is not a name')


def test_parse_many_faults_lists_all() -> None:
    tasks = [{"name": "x", "cron": "?", "retries": -1}, {"name": "y", "foo": 1}]
    assert [code for code, _ in faults({"server": "a", "tasks": tasks})] == [
        "bad_cron",
        "bad_value",
        "unknown_field",
    ]

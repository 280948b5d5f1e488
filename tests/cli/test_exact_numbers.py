"""Exact numbers: `-p price=0.10` reaches a decimal parameter with the digits that were typed."""

from typing import Any

import pytest

from cli.fake_engine import FakeEngine
from cli.run_builders import completed_run
from cli.run_dyna import dyna
from cordyna_core.contract.views.graph import TaskInfo

DECIMAL = {"anyOf": [{"type": "number"}, {"type": "string", "format": "decimal"}]}


def sent_params(*options: str, schema: Any = DECIMAL) -> Any:
    """The params of the command that `dyna do` sends for a task with parameter `x`."""
    tasks = [
        TaskInfo(
            task="task-3", server="a", upstream=["t"], params_schema={"properties": {"x": schema}}
        ),
        TaskInfo(task="t", server="a", upstream=[]),
    ]
    engine = FakeEngine(views=[completed_run()], declared=tasks)
    dyna("do", "task-3", *(word for option in options for word in ("-p", option)), engine=engine)
    (command,) = engine.commands
    return command.params


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("12345678901234567890.12", "12345678901234567890.12"),
        ("0.1000000000000000000001", "0.1000000000000000000001"),
        ("1.10", "1.10"),
        ("1e3", "1e3"),
        ("1.5", 1.5),
        ("7", 7),
        ("abc", "abc"),
        ("true", True),
        ("[1.10]", [1.1]),
    ],
)
def test_decimal_param_is_sent_as_typed(typed: str, sent: Any) -> None:
    assert sent_params(f"x={typed}") == {"x": sent}


@pytest.mark.parametrize("schema", [{"type": "number"}, True, {"anyOf": [True]}])
def test_number_for_another_type_stays_a_number(schema: Any) -> None:
    assert sent_params("x=1.10", "y=2.0", schema=schema) == {"x": 1.1, "y": 2.0}


def test_json_param_with_repeated_key_is_refused() -> None:
    result = dyna("do", "task-3", "-p", 'x={"a": 1, "b": {"c": 1, "c": 2}}', engine=FakeEngine())

    assert result.status == 2
    assert 'the key "c" is given twice in a JSON object.' in result.err


def test_json_param_nested_too_deeply_is_refused() -> None:
    result = dyna("do", "task-3", "-p", "x=" + "[" * 100_000, engine=FakeEngine())

    assert result.status == 2
    assert "nested too deeply" in result.err


def test_json_param_nested_beyond_the_contract_is_refused() -> None:
    result = dyna("do", "task-3", "-p", "x=" + "[" * 199 + "]" * 199, engine=FakeEngine())

    assert result.status == 1
    assert "nested deeper than 100 levels" in result.err

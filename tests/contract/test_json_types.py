"""Fields of messages take the JSON type of their schema, and nothing that resembles it."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from referencing import Registry, Resource

from contract.golden_messages import NAMES, golden
from cordyna_core.contract.published import schemas
from cordyna_core.contract.registry import MESSAGES
from cordyna_core.contract.state_updates import TaskStateChanged

SCHEMAS = schemas()
RESOURCES: Registry[Any] = Registry().with_resources(
    [(f"{name}.json", Resource.from_contents(s)) for name, s in SCHEMAS.items()]
)
LOOKALIKES: tuple[Any, ...] = ("1", "true", "yes", "0.5", "nan", True, 0, 1, 1.5)
Path = tuple[str | int, ...]


def scalars(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of every number, text and truth value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        if isinstance(part, dict | list):
            yield from scalars(part, (*path, key))
        else:
            yield (*path, key)


def with_value(detail: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed: Any = deepcopy(detail)
    part = changed
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return changed  # type: ignore[no-any-return]


def is_accepted(name: str, detail: dict[str, Any]) -> bool:
    try:
        MESSAGES[name].model_validate(detail)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_model_takes_no_type_that_its_schema_refuses(name: str) -> None:
    detail = golden(name)["detail"]
    checks = Draft202012Validator(SCHEMAS[name], registry=RESOURCES)
    assert is_accepted(name, detail)
    wrongly = [
        (path, value)
        for path in scalars(detail)
        for value in LOOKALIKES
        if not checks.is_valid(changed := with_value(detail, path, value))
        and is_accepted(name, changed)
    ]
    assert wrongly == []


@pytest.mark.parametrize("attempt", ["1", True, 1.5, "one", [1]])
def test_attempt_is_a_whole_number(attempt: Any) -> None:
    detail = golden("TaskStateChanged")["detail"]
    assert not is_accepted("TaskStateChanged", {**detail, "attempt": attempt})


@pytest.mark.parametrize("attempt", ["1", "1.0", "1e0"])
def test_attempt_is_written_as_any_integer_of_the_schema(attempt: str) -> None:
    detail = {**golden("TaskStateChanged")["detail"], "attempt": json.loads(attempt)}
    text = json.dumps({**detail, "attempt": 0}).replace('"attempt": 0', f'"attempt": {attempt}')
    for read in (
        TaskStateChanged.model_validate(detail),
        TaskStateChanged.model_validate_json(text),
    ):
        assert (read.attempt, type(read.attempt)) == (1, int)


@pytest.mark.parametrize("time", [0, 1.5, True, "0", "1700000000", "1.7e9", None, "today"])
def test_time_is_no_number(time: Any) -> None:
    detail = golden("SnoozeIncident")["detail"]
    assert not is_accepted("SnoozeIncident", {**detail, "until": time})

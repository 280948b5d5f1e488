"""Parse a declaration: from the detail of an event to a message, or to its problems.

Invariant: a problem names its task and says what to do, and its code is stable. A fault is reported
once, even where the contract allows several forms.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cerebro.core.validation.problems import at_most, quoted, shortened
from cordyna_core.contract.base import Problem
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import NAME_RULE

_CODE_OF_FIELD: Final = {
    "server": "bad_name",
    "name": "bad_name",
    "upstream": "bad_upstream",
    "cron": "bad_cron",
    "timezone": "bad_timezone",
    "ack_timeout_s": "bad_clock",
    "start_timeout_s": "bad_clock",
    "run_timeout_s": "bad_clock",
    "params_schema": "bad_schema",
    "contract": "unknown_contract",
    "consumers": "bad_access",
    "invokers": "bad_access",
    "deprecated": "bad_deprecation",
    "until": "bad_deprecation",
}
_CODE_OF_FAULT: Final = {
    "extra_forbidden": "unknown_field",
    "missing": "missing_field",
    "string_pattern_mismatch": "bad_name",
}

Place = tuple[int | str, ...]


def parse_declaration(detail: Mapping[str, Any]) -> ServerDeclared | tuple[Problem, ...]:
    """Return the declaration in the detail of an event, or every problem with its form."""
    try:
        return ServerDeclared.model_validate(detail)
    except ValidationError as invalid:
        faults = invalid.errors(include_url=False, include_context=False)
        # What another contract allows besides is not known here, so nothing else is a fault.
        faults = [fault for fault in faults if fault["loc"] == ("contract",)] or faults
        return at_most(
            _problem(detail, fault) for fault in faults if not _is_unselected_union_branch(fault)
        )


def _is_unselected_union_branch(fault: ErrorDetails) -> bool:
    """Return whether a fault is about that form of an upstream (name, object) that was not used."""
    place, is_object = fault["loc"], isinstance(fault["input"], dict)
    match place[4:5]:
        case ("constrained-str",):
            return is_object
        case ("Upstream",):
            return len(place) == 5 and not is_object
    return False


def _problem(detail: Mapping[str, Any], fault: ErrorDetails) -> Problem:
    task, field = _where(detail, fault["loc"])
    code = _CODE_OF_FAULT.get(fault["type"]) or _CODE_OF_FIELD.get(
        field.partition("[")[0], "bad_value"
    )
    return Problem(
        code=code,
        message=f"{task}{field}{': ' if field else ''}{_what(code, fault)}",
    )


def _where(detail: Mapping[str, Any], place: Place) -> tuple[str, str]:
    """Return (`task "x": `, `upstream[2].within_s`); a task without name is named by its index."""
    match place:
        case ("tasks", int(index), *rest):
            steps = [step for step in rest if step not in ("constrained-str", "Upstream")]
            field = "".join(
                f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps
            ).lstrip(".")
            return f"{_task_name(detail, index)}: ", shortened(field)
    return "", shortened(".".join(map(str, place)))


def _task_name(detail: Mapping[str, Any], index: int) -> str:
    task = detail["tasks"][index]
    name = task.get("name") if isinstance(task, dict) else None
    return f"task {quoted(name)}" if isinstance(name, str) else f"tasks[{index}]"


def _what(code: str, fault: ErrorDetails) -> str:
    match code:
        case "unknown_field":
            return "there is no such field: remove it, or check its spelling"
        case "missing_field":
            return "it is missing"
        case "bad_name" if isinstance(fault["input"], str):
            return f"{quoted(fault['input'])} is not a name: {NAME_RULE}"
    return shortened(fault["msg"].removeprefix("Value error, "), 400)

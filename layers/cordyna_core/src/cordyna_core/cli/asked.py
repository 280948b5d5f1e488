"""Asked: what a person typed, as a command of the contract."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from cordyna_core.cli.complaints import Misuse
from cordyna_core.contract.commands import Command, InvokeTask, RetryRun
from cordyna_core.contract.envelope import problems_of
from cordyna_core.declaration import seconds_of
from cordyna_core.errors import Refusal, UserError

_Command = TypeVar("_Command", bound=Command)


def invoke_task(task: str, params: Sequence[str], key: str | None, max_age: str | None) -> InvokeTask:
    """Raises Refusal where the contract forbids it, Misuse where it cannot be read."""
    typed = {"task": task, "params": params_of(params), "key": key, "max_age_s": None if max_age is None else seconds(max_age)}
    return _of_the_contract(InvokeTask, typed, f'task "{task}" cannot be invoked')


def retry_run(run_id: str, tasks: Sequence[str]) -> RetryRun:
    """Raises Refusal where the contract forbids it."""
    return _of_the_contract(RetryRun, {"run_id": run_id, "from": list(tasks)}, f"run {run_id} cannot be retried")


def params_of(typed: Sequence[str]) -> dict[str, Any]:
    """`day=monday`, `limit=3`: the value is JSON if it can be read as JSON, else the text itself. Raises Misuse."""
    params: dict[str, Any] = {}
    for pair in typed:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Misuse(f"-p {pair} is no parameter.", next="write -p name=value")
        if name in params:
            raise Misuse(f"-p {name}=... is given twice.", next="give it once")
        params[name] = _value(value)
    return params


def seconds(span: str) -> int:
    """`90s`, `30m`, `1h30m`; a bare number is seconds. Raises Misuse."""
    try:
        return seconds_of(int(span) if span.isdecimal() else span)
    except UserError as unreadable:
        raise Misuse(f"{unreadable.what}.", next=unreadable.next) from unreadable


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_json)
    except ValueError:
        return text


def _no_json(constant: str) -> Any:
    """NaN and Infinity are Python's, not JSON's: they stay text."""
    raise ValueError(constant)


def _of_the_contract(kind: type[_Command], typed: dict[str, Any], what: str) -> _Command:
    try:
        return kind.model_validate(typed)
    except ValidationError as invalid:
        problems = problems_of(invalid, "malformed_command")
        raise Refusal(
            f"{what}.", problems, why="\n".join(problem.message for problem in problems), next="`dyna tasks` lists all tasks"
        ) from invalid

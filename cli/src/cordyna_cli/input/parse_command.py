"""Asked: what a person typed, as a command of the contract."""

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from cordyna_cli.input.contract_problems import problems_in_words
from cordyna_cli.output.errors import Misuse
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import Command, InvokeTask, RetryRun
from cordyna_core.errors import Refusal, UserError
from cordyna_core.server.options import seconds_of

_Command = TypeVar("_Command", bound=Command)

_DOES_NOT_SUIT: Final = re.compile(
    r"parameter (\S+) does not suit .*(?:'string'|not one of|any of the given schemas)", re.DOTALL
)
"""What cerebro says of a value where text may have been wanted."""


def invoke_task(
    task: str, params: Sequence[str], key: str | None, max_age: str | None
) -> InvokeTask:
    """Raises Refusal where the contract forbids it, Misuse where it cannot be read."""
    _require_utf8("TASK", task)
    _require_utf8("--key", key)
    typed = {
        "task": task,
        "params": params_of(params),
        "key": key,
        "max_age_s": None if max_age is None else seconds(max_age),
    }
    return _of_the_contract(InvokeTask, typed, f'task "{task}" cannot be invoked')


def retry_run(run_id: str, tasks: Sequence[str]) -> RetryRun:
    """Raises Refusal where the contract forbids it."""
    return _of_the_contract(
        RetryRun, {"run_id": run_id, "from": list(tasks)}, f"run {run_id} cannot be retried"
    )


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
        _require_utf8(f"-p {name}=...", {name: params[name]})
    return params


def read_as_json(problems: Sequence[Problem], typed: Sequence[str]) -> list[str]:
    """How to write the parameters that were refused because they are not the text that they look like."""
    texts = dict(pair.split("=", 1) for pair in typed)
    refused = [
        found[1]
        for problem in problems
        if problem.code == "bad_param" and (found := _DOES_NOT_SUIT.match(problem.message))
    ]
    return [
        f"{name}={texts[name]} was read as JSON, because it is JSON; if text is meant: -p {_quoted(name, texts[name])}"
        for name in dict.fromkeys(refused)
        if name in texts and not isinstance(_value(texts[name]), str)
    ]


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


def _quoted(name: str, text: str) -> str:
    return shlex.quote(f"{name}={json.dumps(text, ensure_ascii=False)}")


def _require_utf8(what: str, typed: Any) -> None:
    """Python holds a byte that is not UTF-8, and JSON's `"\\ud800"`, as half of a pair of surrogates, which nothing can carry."""
    try:
        json.dumps(typed, ensure_ascii=False).encode()
    except UnicodeEncodeError as broken:
        raise Misuse(
            f"{what} is no text.",
            why="it holds a byte that is not UTF-8, or half of a surrogate pair (\\ud800 to \\udfff); no event can carry that.",
            next="write it in UTF-8; bytes can be given as base64, or as the name of a file",
        ) from broken


def _no_json(constant: str) -> Any:
    """NaN and Infinity are Python's, not JSON's: they stay text."""
    raise ValueError(constant)


def _of_the_contract(kind: type[_Command], typed: dict[str, Any], what: str) -> _Command:
    try:
        return kind.model_validate(typed)
    except ValidationError as invalid:
        problems = problems_in_words(invalid, "malformed_command")
        raise Refusal(
            f"{what}.",
            problems,
            why="\n".join(problem.message for problem in problems),
            next="`dyna tasks` lists all tasks",
        ) from invalid

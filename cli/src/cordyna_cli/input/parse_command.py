"""Parse a command: words of the command line as a command of the contract.

Invariant: a command that is returned is valid by the contract; what is not ends here, with every
problem.
"""

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from cordyna_cli.input.contract_problems import readable_problems
from cordyna_cli.input.parse_time import parse_seconds
from cordyna_cli.usage_error import UsageError
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import Command, InvokeTask, RetryRun
from cordyna_core.errors import Refusal

_Command = TypeVar("_Command", bound=Command)

_TYPE_MISMATCH: Final = re.compile(
    r"parameter (\S+) does not suit .*(?:'string'|not one of|any of the given schemas)", re.DOTALL
)
"""Cerebro's message about a value where text may have been meant."""

_NO_TRUTH_VALUE: Final = re.compile(
    r"parameter (\S+) does not suit .* of type 'boolean'", re.DOTALL
)
"""Cerebro's message about a value that is not `true` or `false`."""


def invoke_task(
    task: str, params: Sequence[str], key: str | None, max_age: str | None
) -> InvokeTask:
    """Return the command that `dyna do` sends.

    Raises Refusal where the contract forbids it, UsageError where it cannot be read.
    """
    _require_utf8("TASK", task)
    _require_utf8("--key", key)
    fields = {
        "task": task,
        "params": parse_params(params),
        "key": key,
        "max_age_s": None if max_age is None else parse_seconds(max_age),
    }
    return validated_command(InvokeTask, fields, f'task "{task}" cannot be invoked')


def retry_run(run_id: str, tasks: Sequence[str], *, downstream: bool = False) -> RetryRun:
    """Return the command that `dyna retry` sends. Raises Refusal where the contract forbids it."""
    fields = {"run_id": run_id, "from": list(tasks), "downstream": downstream}
    return validated_command(RetryRun, fields, f"run {run_id} cannot be retried")


def parse_params(pairs: Sequence[str]) -> dict[str, Any]:
    """`day=monday`, `limit=3`: a value is JSON if it can be read as JSON, else text.

    Raises UsageError.
    """
    params: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"-p {pair} is not a parameter.", next="write -p name=value")
        if name in params:
            raise UsageError(f"-p {name}=... is given twice.", next="give it once")
        params[name] = _json_or_text(value)
        _require_utf8(f"-p {name}=...", {name: params[name]})
    return params


def hints_for_json_params(problems: Sequence[Problem], pairs: Sequence[str]) -> list[str]:
    """Return how to write parameters that were refused for being read as JSON, or not."""
    texts = dict(pair.split("=", 1) for pair in pairs)
    refused = _refused_for(_TYPE_MISMATCH, problems)
    truth_values = [
        f"{name} is true or false: -p {name}=true"
        for name in _refused_for(_NO_TRUTH_VALUE, problems)
        if name in texts
    ]
    return truth_values + [
        f"{name}={texts[name]} was read as JSON, because it is JSON; "
        f"if text is meant: -p {_as_json_text(name, texts[name])}"
        for name in refused
        if name in texts and not isinstance(_json_or_text(texts[name]), str)
    ]


def _refused_for(message: re.Pattern[str], problems: Sequence[Problem]) -> list[str]:
    """Return the parameters that were refused with such a message, each once."""
    refused = [
        match[1]
        for problem in problems
        if problem.code == "bad_param" and (match := message.match(problem.message))
    ]
    return list(dict.fromkeys(refused))


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(
            text, parse_constant=_reject_constant, object_pairs_hook=_without_repeated_keys
        )
    except ValueError:
        return text
    except RecursionError:
        raise UsageError(
            f"-p ...={text[:20]}... is nested too deeply.",
            why="an event carries at most 100 levels",
            next="flatten it, or pass a reference (a path, an S3 key)",
        ) from None


def _without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object with a repeated key, of which JSON would keep only the last value."""
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise UsageError(f'the key "{repeated}" is given twice in a JSON object.', next="keep one")
    return dict(pairs)


def _reject_constant(constant: str) -> Any:
    """NaN and Infinity are Python's, not JSON's: they stay text."""
    raise ValueError(constant)


def _as_json_text(name: str, text: str) -> str:
    return shlex.quote(f"{name}={json.dumps(text, ensure_ascii=False)}")


def _require_utf8(what: str, typed: Any) -> None:
    """Refuse half of a surrogate pair, which no event can carry.

    Python holds a byte that is not UTF-8, and JSON's `"\\ud800"`, as such a half.
    """
    try:
        json.dumps(typed, ensure_ascii=False).encode()
    except UnicodeEncodeError as broken:
        raise UsageError(
            f"{what} is not text.",
            why="it holds a byte that is not UTF-8, or half of a surrogate pair "
            "(\\ud800 to \\udfff); no event can carry that.",
            next="write it in UTF-8; bytes can be given as base64, or as the name of a file",
        ) from broken


def validated_command(command: type[_Command], fields: dict[str, Any], what: str) -> _Command:
    """Return the command with these fields; `what` begins the error. Raises Refusal."""
    try:
        return command.model_validate(fields)
    except ValidationError as invalid:
        problems = readable_problems(invalid, "malformed_command")
        is_about_a_name = any(error["loc"][:1] == ("task",) for error in invalid.errors())
        raise Refusal(
            f"{what}.",
            problems,
            why="\n".join(problem.message for problem in problems),
            next="`dyna tasks` lists all tasks"
            if is_about_a_name
            else "correct that, and try again",
        ) from invalid

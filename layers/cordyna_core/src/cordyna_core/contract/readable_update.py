"""Readable update: what counts of a malformed update of an attempt.

A server whose update is refused as a whole has its attempt expire up to 30 minutes later, and a
retry may then begin beside its body. So an update of which the attempt and the state can be read
counts, whatever else is wrong with it.

Invariant: nothing is guessed. A part that cannot be read is left out. A `completed` whose output
cannot be read is an error that is not tried again, because the body has run.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from cordyna_core.contract.base import ErrorDescription, Problem
from cordyna_core.contract.envelope import Envelope, MalformedEvent, problems_of
from cordyna_core.contract.lenient_json import with_whole_characters
from cordyna_core.contract.state_updates import TaskStateChanged

_NEEDED: Final = frozenset({"server", "run_id", "task", "attempt", "state"})


def readable_update(malformed: MalformedEvent) -> Envelope | None:
    """Return what can be read of a malformed update; None if its attempt or state cannot.

    It is not checked whether its sender may send it.
    """
    raw = malformed.raw
    if raw is None or raw.detail_type != TaskStateChanged.__name__:
        return None
    fields = {
        # An output with half a character is refused, and not stored as another one.
        name: value if name == "output" else with_whole_characters(value)
        for name, value in raw.detail.items()
    }
    problems = _problems_by_field(fields)
    if problems.keys() & _NEEDED:
        return None
    readable = {name: value for name, value in fields.items() if name not in problems}
    update = TaskStateChanged.model_validate(readable)
    if update.state == "completed" and "output" in problems:
        error = _output_not_json(problems["output"])
        update = update.model_copy(update={"state": "error", "reason": None, "error": error})
    elif update.state == "error" and "error" in problems:
        error = _not_readable(fields["error"], problems["error"])
        update = update.model_copy(update={"error": error})
    return Envelope(raw.source, update, raw.id, raw.time)


def _problems_by_field(fields: Mapping[str, Any]) -> dict[str, list[Problem]]:
    try:
        TaskStateChanged.model_validate(fields)
    except ValidationError as invalid:
        names = [str(error["loc"][0]) for error in invalid.errors(include_url=False)]
        problems: dict[str, list[Problem]] = {name: [] for name in names}
        for name, problem in zip(names, problems_of(invalid, "malformed_detail"), strict=False):
            problems[name].append(problem)
        return problems
    return {}


def _output_not_json(problems: Sequence[Problem]) -> ErrorDescription:
    message = f"the server reported `completed`, and its output is not kept: {_text_of(problems)}"
    return ErrorDescription(type="OutputNotJson", message=message, retryable=False)


def _not_readable(error: Any, problems: Sequence[Problem]) -> ErrorDescription:
    """Return a description of an error whose own description is malformed."""
    retryable = error.get("retryable") if isinstance(error, dict) else None
    return ErrorDescription(
        type="ErrorNotReadable",
        message=f"the server described its error in a form that cannot be read "
        f"({_text_of(problems)}): {json.dumps(error)}",
        retryable=retryable if isinstance(retryable, bool) else True,
    )


def _text_of(problems: Sequence[Problem]) -> str:
    return "; ".join(problem.message for problem in problems)

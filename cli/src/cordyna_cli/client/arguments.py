"""Arguments: what a program passes to the client, checked before anything is sent.

Invariant: a wrong argument is a UserError that names it, and not an error of a library.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from cordyna_core.contract.envelope import problems_of
from cordyna_core.contract.views.runs import RunCriteria
from cordyna_core.errors import UserError


def mapping_of(name: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a copy of the mapping passed as `name`; None is an empty one. Raises UserError."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UserError(
            f"{name} is {type(given).__name__}, and not a dict", next=f'pass {name}={{"name": ...}}'
        )
    return dict(given)


def names_of(tasks: Sequence[str]) -> Sequence[str]:
    """Return these names; a text alone would be read as one name a letter. Raises UserError."""
    if isinstance(tasks, str):
        raise UserError(f"tasks={tasks!r} is one text, and not a list", next=f"pass [{tasks!r}]")
    return tasks


def criteria_of(
    limit: int,
    *,
    task: str | None,
    state: str | None,
    since: datetime | None,
    until: datetime | None,
) -> RunCriteria:
    """Return which runs are wanted. Raises UserError."""
    if limit < 0:
        raise UserError(f"limit={limit} is negative", next="pass how many runs you want")
    try:
        return RunCriteria.model_validate(
            {"task": task, "state": state, "since": since, "until": until}
        )
    except ValidationError as invalid:
        raise UserError(
            "runs cannot be listed",
            why="\n".join(problem.message for problem in problems_of(invalid, "bad_value")),
            next="pass the name of a task, one of the states of `dyna runs`, and a time",
        ) from None

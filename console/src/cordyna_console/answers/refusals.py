"""Refusals: what a person is shown when a command is refused or a name is unknown."""

from collections.abc import Sequence

from cordyna_cli.wording.near_names import near_names_of
from cordyna_core.contract.base import Problem
from cordyna_core.errors import NotFound, Refusal


def refusal(what: str, problems: Sequence[Problem], following: str) -> Refusal:
    """Return a refused command, with every problem."""
    why = "\n".join(problem.message for problem in problems)
    return Refusal(what, tuple(problems), why=why, next=following)


def unknown_name(what: str, name: str, known: Sequence[str], following: str) -> NotFound:
    """Return an unknown name, with the nearest known ones."""
    near = near_names_of(name, known)
    why = f"{len(known)} are declared, and none has that name"
    return NotFound(what, why=why, next=f"did you mean {' or '.join(near)}?" if near else following)

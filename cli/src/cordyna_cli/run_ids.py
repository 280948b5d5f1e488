"""Run ids: the run that the beginning of an id means, at the command line and in an address.

Invariant: what is typed means one run or none: a beginning of several runs is an error, never a
guess.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cordyna_cli.engine import Engine
from cordyna_core.contract.ids import RUN_ID_PATTERN
from cordyna_core.errors import NotFound, UserError

if TYPE_CHECKING:  # as in the port: a command that only sends one loads no views
    from cordyna_core.contract.views.runs import RunSummary

RUNS_SEARCHED_MAX: Final = 1000
ENDING_CHARACTERS_MIN: Final = 4
"""Of a beginning that names a run to cancel or to delete: neither can be undone."""

_MATCHES_SHOWN_MAX: Final = 5


def is_run_id(typed: str) -> bool:
    """Return whether it is a whole id, in letters of any case."""
    return re.fullmatch(RUN_ID_PATTERN, typed.upper()) is not None


def find_run_id(engine: Engine, typed: str) -> str:
    """Return the id of the run that is meant.

    Raises NotFound, and UserError where several runs begin with `typed`.
    """
    if is_run_id(typed):
        return typed.upper()
    newest = engine.runs(RUNS_SEARCHED_MAX)
    matches = _beginning_with(newest, typed)
    if not matches and (of_task := [run.run_id for run in newest if run.task == typed]):
        raise NotFound(
            f'there is no run "{typed}"; it is a task.',
            why=f"its last run is {of_task[0]}",
            next=f"`dyna runs --task {typed}` lists its runs",
        )
    if not matches:
        raise NotFound(
            f'there is no run "{typed}".',
            why=f"no id of the newest {RUNS_SEARCHED_MAX} runs begins so",
            next="`dyna runs` lists the newest",
        )
    if len(matches) > 1:
        raise UserError(
            f'"{typed}" is the beginning of {len(matches)} runs.',
            why="\n".join(matches[:_MATCHES_SHOWN_MAX]),
            next="type more of it",
        )
    return matches[0]


def find_run_to_end(engine: Engine, typed: str) -> str:
    """Return the id of the run that is meant, to cancel or to delete it.

    Raises NotFound, and UserError where several runs begin with `typed`, or it is too short.
    """
    if len(typed) < ENDING_CHARACTERS_MIN:
        raise UserError(
            f'"{typed}" is too short to name a run that is cancelled or deleted.',
            why=f"at least {ENDING_CHARACTERS_MIN} characters of its id are needed",
            next="`dyna runs` lists the newest",
        )
    return find_run_id(engine, typed)


def runs_beginning_with(engine: Engine, typed: str) -> list[str]:
    """Return ids of the newest runs that begin with `typed`, in letters of any case."""
    return _beginning_with(engine.runs(RUNS_SEARCHED_MAX), typed)


def _beginning_with(runs: Sequence["RunSummary"], typed: str) -> list[str]:
    prefix = typed.upper()
    return [run.run_id for run in runs if run.run_id.startswith(prefix)]

"""Which run: what a person may type for a run. Nothing: the last one. Else its id, or the beginning of it."""

import re
from typing import Final

from cordyna_cli.engine import Engine
from cordyna_core.contract.ids import RUN_ID_PATTERN
from cordyna_core.errors import NotFound, UserError

_LOOK_BACK: Final = 1000


def resolve_run_id(engine: Engine, typed: str | None) -> str:
    """Raises NotFound, and UserError where several runs begin so."""
    if typed is None:
        return _last(engine)
    if re.fullmatch(RUN_ID_PATTERN, typed.upper()):
        return typed.upper()
    found = _beginning(engine, typed)
    if not found:
        raise NotFound(f'there is no run "{typed}".', next="`dyna runs` lists the newest")
    if len(found) > 1:
        raise UserError(
            f'"{typed}" is the beginning of {len(found)} runs.',
            why="\n".join(found[:5]),
            next="type some more of it",
        )
    return found[0]


def run_and_task(engine: Engine, run: str | None, task: str | None) -> tuple[str, str | None]:
    """A single word that begins no run is taken for a task of the last one."""
    if (
        run is not None
        and task is None
        and not re.fullmatch(RUN_ID_PATTERN, run.upper())
        and not _beginning(engine, run)
    ):
        return _last(engine), run
    return resolve_run_id(engine, run), task


def _last(engine: Engine) -> str:
    newest = engine.runs(1)
    if not newest:
        raise NotFound("there is no run yet.", next="dyna do TASK")
    return newest[0].run_id


def _beginning(engine: Engine, typed: str) -> list[str]:
    return [run.run_id for run in engine.runs(_LOOK_BACK) if run.run_id.startswith(typed.upper())]

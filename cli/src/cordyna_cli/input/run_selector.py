"""Run selector: what may be typed for a run: nothing, its id, or the beginning of it.

Nothing means the last run that a person invoked (any source `cordyna.client*`), not a cron's.

Invariant: what is typed means one run or none: a beginning of several runs is an error, never a
guess.
"""

import re
from typing import Final

from cordyna_cli.engine import Engine
from cordyna_core.contract.ids import NAME_PATTERN, RUN_ID_PATTERN
from cordyna_core.contract.views.runs import RunCriteria
from cordyna_core.errors import NotFound, UserError

_RUNS_SEARCHED_MAX: Final = 1000
_MATCHES_SHOWN_MAX: Final = 5


def resolve_run_id(engine: Engine, typed: str | None) -> str:
    """The id of the run that is meant.

    Raises NotFound, and UserError where several runs begin with `typed`.
    """
    if typed is None:
        return _last_run(engine)
    if re.fullmatch(RUN_ID_PATTERN, typed.upper()):
        return typed.upper()
    matches = _runs_beginning_with(engine, typed)
    if not matches:
        raise NotFound(f'there is no run "{typed}".', next="`dyna runs` lists the newest")
    if len(matches) > 1:
        raise UserError(
            f'"{typed}" is the beginning of {len(matches)} runs.',
            why="\n".join(matches[:_MATCHES_SHOWN_MAX]),
            next="type more of it",
        )
    return matches[0]


def resolve_run_and_task(
    engine: Engine, run: str | None, task: str | None
) -> tuple[str, str | None]:
    """The run and the task; a single word that begins no run is a task of the last run.

    If the last run has no such task, the last run of that task is meant.
    """
    if (
        run is not None
        and task is None
        and not re.fullmatch(RUN_ID_PATTERN, run.upper())
        and not _runs_beginning_with(engine, run)
    ):
        return _last_run_with(engine, run), run
    return resolve_run_id(engine, run), task


def _last_run(engine: Engine) -> str:
    """The last run that a person invoked; the last run where no person has invoked any."""
    newest = engine.runs(1, RunCriteria(sender="client")) or engine.runs(1)
    if not newest:
        raise NotFound("there is no run yet.", next="dyna do TASK")
    return newest[0].run_id


def _last_run_with(engine: Engine, task: str) -> str:
    last = _last_run(engine)
    if not re.fullmatch(NAME_PATTERN, task) or any(
        other.task == task for other in engine.run(last).tasks
    ):
        return last
    newest = engine.runs(1, RunCriteria(task=task))
    return newest[0].run_id if newest else last


def _runs_beginning_with(engine: Engine, typed: str) -> list[str]:
    prefix = typed.upper()
    return [run.run_id for run in engine.runs(_RUNS_SEARCHED_MAX) if run.run_id.startswith(prefix)]

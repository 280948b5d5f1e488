"""Run selector: what may be typed for a run: nothing, its id, or the beginning of it.

Nothing means the last run that a person invoked (any source `cordyna.client*`), not a cron's.

Where a task may be typed as well, its exact name comes before a run that begins so.

Invariant: what is typed means one run or none: a beginning of several runs is an error, never a
guess.
"""

import re

from cordyna_cli.engine import Engine
from cordyna_cli.run_ids import find_run_id, is_run_id, runs_beginning_with
from cordyna_core.contract.ids import NAME_PATTERN
from cordyna_core.contract.views.runs import RunCriteria
from cordyna_core.errors import NotFound


def resolve_run_id(engine: Engine, typed: str | None) -> str:
    """Return the id of the run that is meant.

    Raises NotFound, and UserError where several runs begin with `typed`.
    """
    return _last_run(engine) if typed is None else find_run_id(engine, typed)


def resolve_run_and_task(
    engine: Engine, run: str | None, task: str | None
) -> tuple[str, str | None]:
    """Return the run and the task; a single word that begins no run is a task of the last run.

    If the last run has no such task, the last run of that task is meant. The name of a task may
    also begin a run's id, such as `a` or `dbt`: then the task is meant.
    """
    if run is None or task is not None or is_run_id(run):
        return resolve_run_id(engine, run), task
    if not runs_beginning_with(engine, run):
        return _run_with(engine, run) or _last_run(engine), run
    run_of_task = _run_with(engine, run)
    return (run_of_task, run) if run_of_task else (resolve_run_id(engine, run), None)


def _last_run(engine: Engine) -> str:
    """Return the last run that a person invoked; the last run where no person has invoked any."""
    newest = engine.runs(1, RunCriteria(sender="client")) or engine.runs(1)
    if not newest:
        where = engine.location().shown
        raise NotFound(f"there is no run yet ({where}).", next="dyna do TASK")
    return newest[0].run_id


def _run_with(engine: Engine, task: str) -> str | None:
    """Return the last run, if it has the task; else the last run of that task, if there is one."""
    if not re.fullmatch(NAME_PATTERN, task):
        return None
    last = _last_run(engine)
    if any(other.task == task for other in engine.run(last).tasks):
        return last
    newest = engine.runs(1, RunCriteria(task=task))
    return newest[0].run_id if newest else None

"""retry, cancel: change a run."""

from collections.abc import Sequence
from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.do import AsJson, Wait
from cordyna_cli.commands.do import Run as LastRun
from cordyna_cli.engine import Engine
from cordyna_cli.follow_run import follow_run, report_outcome
from cordyna_cli.input.parse_command import retry_run
from cordyna_cli.input.parse_time import parse_seconds
from cordyna_cli.input.run_selector import resolve_run_id
from cordyna_cli.output.errors import command_refused
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.run_ids import find_run_to_end
from cordyna_cli.usage_error import UsageError
from cordyna_cli.wording.next_steps import invoke_again
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import CancelRun
from cordyna_core.contract.views.runs import RunView

Run = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the beginning of it.")]


def retry(
    ctx: typer.Context,
    run: LastRun = None,
    *,
    from_: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="TASK",
            help="Only this failed task (again for more). Default: all that failed.",
        ),
    ] = None,
    downstream: Annotated[
        bool,
        typer.Option(
            "--downstream",
            help="Run the tasks of --from again, also completed ones, and all downstream of them.",
        ),
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait.")] = False,
    wait: Wait = None,
    json: AsJson = False,
) -> ExitStatus:
    """Give failed tasks of RUN a new attempt; completed ones stay, and blocked ones follow."""
    call = CommandContext(ctx)
    if downstream and not from_:
        raise UsageError(
            "--downstream needs --from.",
            why="it runs the named tasks again, and all downstream of them",
            next=f"dyna retry {run or 'RUN'} --from TASK --downstream",
        )
    wait_s = None if wait is None else parse_seconds(wait)
    with call.engine() as engine:
        run_id = resolve_run_id(engine, run)
        before = engine.run(run_id)
        refused = engine.command(retry_run(run_id, from_ or (), downstream=downstream))
        if refused is not None:
            raise command_refused(
                f"run {run_id} cannot be retried",
                refused.problems,
                next=_next_after_refusal(refused.problems, engine, run_id, from_ or ()),
            )
        if detach:
            call.out.print([run_id])
            return ExitStatus.COMPLETED
        followed = follow_run(call, engine, run_id, wait_s, before=before)
    return report_outcome(call, followed, as_json=json, wait_s=wait_s)


def _next_after_refusal(
    problems: Sequence[Problem], engine: Engine, run_id: str, tasks: Sequence[str]
) -> str:
    codes = {problem.code for problem in problems}
    # These runs can never continue, but the same task can be invoked again.
    if codes & {"task_moved", "run_cancelled"}:
        return f"{invoke_again(engine.run(run_id)).command} --new"
    if "unknown_task" in codes:
        return f"dyna show {run_id} --all"
    if "rerun_under_way" in codes:
        return f"dyna watch {run_id}"
    if "nothing_failed" in codes and tasks and engine.run(run_id).is_final:
        names = " ".join(f"--from {task}" for task in tasks)
        return f"dyna retry {run_id} {names} --downstream"
    return f"dyna why {run_id}"


def cancel(ctx: typer.Context, run: Run) -> ExitStatus:
    """End RUN now and finally: what is live is cancelled, and nothing else begins.

    A run that has ended in error can be cancelled too: then it can never be retried.
    """
    call = CommandContext(ctx)
    with call.engine() as engine:
        run_id = find_run_to_end(engine, run)
        before = engine.run(run_id)
        refused = engine.command(CancelRun(run_id=run_id))
        if refused is not None:
            raise command_refused(
                f"run {run_id} cannot be cancelled", refused.problems, next=f"dyna show {run_id}"
            )
        call.out.print(_cancelled_lines(before))
    return ExitStatus.COMPLETED


def _cancelled_lines(before: RunView) -> list[str]:
    """Return what the cancellation of a run did to it; `before` is the run before it."""
    if before.cancelled:
        return [f"run {before.run_id} was cancelled before; nothing has changed"]
    if before.state != "error":
        return [f"run {before.run_id} is cancelled"]
    return [
        f"run {before.run_id} is cancelled: it had ended in error, and cannot be retried any more",
        f"  next: {invoke_again(before).command}",
    ]

"""do, watch: invoke a task, and follow a run."""

from datetime import datetime
from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.not_loaded import warn_of_earlier_code
from cordyna_cli.commands.ui import OpenPage, open_in_browser, page_of
from cordyna_cli.engine import Refused
from cordyna_cli.follow_run import follow_run, report_outcome
from cordyna_cli.input.exact_numbers import with_exact_numbers
from cordyna_cli.input.parse_command import hints_for_json_params, invoke_task
from cordyna_cli.input.parse_time import parse_seconds
from cordyna_cli.input.run_selector import resolve_run_id
from cordyna_cli.output.errors import invocation_refused
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import run_json
from cordyna_cli.usage_error import UsageError
from cordyna_core.contract.views.runs import RunView

Wait = Annotated[
    str | None,
    typer.Option(
        metavar="SPAN",
        help="Wait at most this long, for example 30m; then exit with 124. "
        "Default: until the run ends.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, whatever the outcome.")
]
Run = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="Its id, or the beginning of it. Default: the last run."),
]


def do(  # noqa: PLR0913  one argument per option
    ctx: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task that you want completed.")],
    *,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--param",
            metavar="NAME=VALUE",
            help="A parameter; JSON if it can be read as JSON.",
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key gives the same run.")
    ] = None,
    max_age: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN",
            help=(
                "Reuse recorded results that are at most this old, like 6h. Recorded are those of"
                " tasks that an edge accepts with fresh(), and of the targets of runs."
            ),
        ),
    ] = None,
    new: Annotated[
        bool,
        typer.Option(
            "--new", help="Start another run, even if one like it is live or was interrupted."
        ),
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Do not wait: print the run's id.")
    ] = False,
    in_process: Annotated[
        bool,
        typer.Option(
            "--in-process", help="Import servers here, and run tasks in threads: for a debugger."
        ),
    ] = False,
    wait: Wait = None,
    json: AsJson = False,
    open_page: OpenPage = False,
) -> ExitStatus:
    """Invoke TASK: everything upstream of it runs in order, and then TASK itself.

    Each task runs on the server that owns it.
    """
    call = CommandContext(ctx)
    if new and key is not None:
        raise UsageError(
            "--new and --key exclude each other.",
            why="a key names one run: the same key gives the same run",
            next="use another --key, or leave one of the two out",
        )
    asked_at = call.environment.now()
    command = invoke_task(task, param or (), key, max_age)
    wait_s = None if wait is None else parse_seconds(wait)
    with call.engine_to_run_tasks(in_process=in_process) as engine:
        join = call.settings.engine == "embedded" and not new and key is None
        command = with_exact_numbers(command, param or (), engine)
        answer = engine.invoke(command, join=join, detached=detach)
        if isinstance(answer, Refused):
            hints = hints_for_json_params(answer.problems, param or ())
            raise invocation_refused(task, answer.problems, engine, hints)
        warn_of_earlier_code(call, engine)
        if answer.joined:
            same = "which has the same task and parameters (--new starts another)"
            call.err.note([f"joined run {answer.run_id}, {same}"])
        if key is not None:
            _note_ended_run(call, engine.run(answer.run_id), key, asked_at)
        if open_page:
            open_in_browser(call, engine, page_of(engine, answer.run_id, None))
        if not detach:
            followed = follow_run(call, engine, answer.run_id, wait_s)
        else:
            view = engine.run(answer.run_id)
            if not engine.drives:
                call.print_driver(engine)
            elif not view.is_final:
                # Nothing drives the run when this process has ended.
                call.err.note(["the run rests until a process drives it", "  next: dyna dev"])
    # Printed when nothing can fail any more, so that there is one JSON object at most.
    if detach:
        call.out.print_json(run_json(view, joined=answer.joined)) if json else call.out.print(
            [answer.run_id]
        )
        call.err.note([f"  next: dyna watch {answer.run_id}"])
        return ExitStatus.COMPLETED
    return report_outcome(call, followed, as_json=json, wait_s=wait_s, joined=answer.joined)


def _note_ended_run(call: CommandContext, view: RunView, key: str, asked_at: datetime) -> None:
    """Print that the key names a run that had ended before: nothing runs."""
    if view.is_final and view.created_at is not None and view.created_at < asked_at:
        known = f"key {key!r} names run {view.run_id}, which had ended before: nothing was started"
        call.err.note([known, "  next: another --key, or none, starts another run"])


def watch(
    ctx: typer.Context, run: Run = None, *, wait: Wait = None, json: AsJson = False
) -> ExitStatus:
    """Follow a run until it ends; exit as `do` does."""
    call = CommandContext(ctx)
    wait_s = None if wait is None else parse_seconds(wait)
    with call.engine() as engine:
        run_id = resolve_run_id(engine, run)
        # With servers named, this process drives as soon as it waits.
        if not call.settings.options.servers and not engine.run(run_id).is_final:
            call.note_without_driver(engine)
        followed = follow_run(call, engine, run_id, wait_s)
    return report_outcome(call, followed, as_json=json, wait_s=wait_s)

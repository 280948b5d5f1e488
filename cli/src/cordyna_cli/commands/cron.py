"""cron: what runs on a schedule."""

from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.lists import AsJson
from cordyna_cli.commands.not_loaded import note_servers_not_loaded
from cordyna_cli.commands.paused_crons import paused_tasks
from cordyna_cli.operations import operations_of
from cordyna_cli.output.json_output import array_json
from cordyna_cli.render.lists import crons_table
from cordyna_core.contract.views.graph import TaskInfo

cron = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    help="What runs on a schedule, and when next.",
)

Task = Annotated[str, typer.Argument(metavar="TASK")]


@cron.command("ls")
def ls(ctx: typer.Context, *, json: AsJson = False) -> None:
    """Every task with a cron, in the order of the graph."""
    call = CommandContext(ctx)
    tasks, paused = _tasks_with_cron(call)
    _print(call, tasks, paused, as_json=json)


@cron.command("next")
def next_(ctx: typer.Context, *, json: AsJson = False) -> None:
    """Every task with a cron, the next to run first."""
    call = CommandContext(ctx)
    tasks, paused = _tasks_with_cron(call)
    scheduled = [(info.next_at, info) for info in tasks if info.next_at]
    scheduled.sort(key=lambda item: item[0])
    _print(call, [info for _, info in scheduled], paused, as_json=json)


@cron.command("pause")
def pause(ctx: typer.Context, task: Task) -> None:
    """Pause the cron of TASK until it is resumed.

    It stays paused when its server is deployed again.
    """
    _set_paused(ctx, task, paused=True)


@cron.command("resume")
def resume(ctx: typer.Context, task: Task) -> None:
    """Let the cron of TASK fire again."""
    _set_paused(ctx, task, paused=False)


def _set_paused(ctx: typer.Context, task: str, *, paused: bool) -> None:
    call = CommandContext(ctx)
    with call.engine() as engine:
        command = f"cron {'pause' if paused else 'resume'} {task}"
        operations_of(engine, command).pause(task, on=paused)
    call.out.print([f"the cron of {task} {'is paused' if paused else 'fires again'}"])
    if paused:
        call.err.note([f"  next: dyna cron resume {task}   (when it shall fire again)"])


def _tasks_with_cron(call: CommandContext) -> tuple[list[TaskInfo], frozenset[str]]:
    """Every task with a cron, and those whose cron is paused: these have no next time."""
    with call.engine() as engine:
        paused = paused_tasks(call, engine)
        tasks = [
            info.model_copy(update={"next_at": None}) if info.task in paused else info
            for info in engine.tasks()
            if info.cron is not None
        ]
        if tasks and not engine.drives:
            call.print_driver(engine)
        elif tasks and call.settings.engine == "embedded":
            call.err.note(["crons fire while a process stays up", "  next: dyna dev"])
        is_incomplete = note_servers_not_loaded(call, engine)
    if not tasks and not is_incomplete:
        call.err.note(["no task has a cron", '  next: declare one with cron="0 6 * * 1-5"'])
    return tasks, paused


def _print(
    call: CommandContext, tasks: list[TaskInfo], paused: frozenset[str], *, as_json: bool
) -> None:
    if as_json:
        call.out.print_json(array_json(tasks))
    else:
        call.out.print(crons_table(tasks, paused, call.environment.now(), call.out.width))

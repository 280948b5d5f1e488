"""cron: what runs by itself."""

from typing import Annotated

import typer

from cordyna_cli.commands.lists import AsJson
from cordyna_cli.engine import Engine
from cordyna_cli.input.command_context import CommandContext
from cordyna_cli.operations import operations_of
from cordyna_cli.output.json_output import array_json
from cordyna_cli.render.lists import crons_table
from cordyna_core.contract.views.graph import TaskInfo
from cordyna_core.errors import AccessError

cron = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    help="What runs by itself, and when next.",
)

Task = Annotated[str, typer.Argument(metavar="TASK")]


@cron.command("ls")
def ls(ctx: typer.Context, *, json: AsJson = False) -> None:
    """Every task with a cron, in the order of the graph."""
    call = CommandContext(ctx)
    _print(call, _with_cron(call), as_json=json)


@cron.command("next")
def next_(ctx: typer.Context, *, json: AsJson = False) -> None:
    """Every task with a cron, the next to run first."""
    call = CommandContext(ctx)
    found = _with_cron(call)
    coming = sorted(
        (info for info in found if info.next_at),
        key=lambda info: info.next_at or call.environment.now(),
    )
    _print(call, coming, as_json=json)


@cron.command("pause")
def pause(ctx: typer.Context, task: Task) -> None:
    """Let the cron of TASK rest, on AWS, until it is resumed.

    Also when its server is deployed anew.
    """
    _set(ctx, task, on=True)


@cron.command("resume")
def resume(ctx: typer.Context, task: Task) -> None:
    """Let the cron of TASK fire again."""
    _set(ctx, task, on=False)


def _set(ctx: typer.Context, task: str, *, on: bool) -> None:
    call = CommandContext(ctx)
    with call.engine() as engine:
        operations_of(engine, f"cron {'pause' if on else 'resume'} {task}").pause(task, on=on)
    call.out.print([f"the cron of {task} {'rests' if on else 'fires again'}"])


def _with_cron(call: CommandContext) -> list[TaskInfo]:
    with call.engine() as engine:
        paused = _paused(call, engine)
        # A cron that rests has no next time.
        return [
            info.model_copy(update={"next_at": None}) if info.task in paused else info
            for info in engine.tasks()
            if info.cron is not None
        ]


def _paused(call: CommandContext, engine: Engine) -> frozenset[str]:
    operations = getattr(engine, "operations", None)
    try:
        return frozenset() if operations is None else frozenset(operations.paused())
    except AccessError:
        call.err.print(
            ["which crons rest is not shown: these credentials may not look at schedules"]
        )
        return frozenset()


def _print(call: CommandContext, found: list[TaskInfo], *, as_json: bool) -> None:
    if as_json:
        call.out.print_json(array_json(found))
    else:
        call.out.print(crons_table(found, call.environment.now(), call.out.width))
    if not found:
        call.err.print(["no task runs by itself", '  next: declare one with cron="0 6 * * 1-5"'])

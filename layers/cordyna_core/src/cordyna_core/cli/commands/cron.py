"""cron: what runs by itself."""

import typer

from cordyna_core.cli.call import Call
from cordyna_core.cli.render.lists import crons_table
from cordyna_core.contract.views import TaskInfo

cron = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=False, help="What runs by itself, and when next.")


@cron.command("ls")
def ls(ctx: typer.Context) -> None:
    """Every task with a cron, in the order of the graph."""
    call = Call(ctx)
    _print(call, _with_cron(call))


@cron.command("next")
def next_(ctx: typer.Context) -> None:
    """Every task with a cron, the next to run first."""
    call = Call(ctx)
    found = _with_cron(call)
    _print(call, sorted((info for info in found if info.next_at), key=lambda info: info.next_at or call.environment.now()))


def _with_cron(call: Call) -> list[TaskInfo]:
    with call.engine() as engine:
        return [info for info in engine.tasks() if info.cron is not None]


def _print(call: Call, found: list[TaskInfo]) -> None:
    call.out.print(crons_table(found, call.environment.now(), call.out.width))
    if not found:
        call.err.print(["no task runs by itself", '  next: declare one with cron="0 6 * * 1-5"'])

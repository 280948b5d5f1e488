"""consumers: who uses a task, and who may."""

from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.lists import AsJson
from cordyna_cli.output.errors import near_names
from cordyna_cli.output.json_output import consumers_json
from cordyna_cli.render.consumers import consumers_lines
from cordyna_core.errors import NotFound


def consumers(
    ctx: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's name.")],
    *,
    json: AsJson = False,
) -> None:
    """Who may depend on a task, who may invoke it, and which tasks of which owners need it."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        tasks = engine.tasks()
    info = next((info for info in tasks if info.task == task), None)
    if info is None:
        names = [info.task for info in tasks]
        raise NotFound(f'no server declares a task "{task}".', next=near_names(task, names))
    users = [other for other in tasks if task in other.upstream]
    if json:
        call.out.print_json(consumers_json(info, users))
    else:
        call.out.print(consumers_lines(info, users, call.out.width))

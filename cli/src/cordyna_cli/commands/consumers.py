"""consumers: who uses a task, and who may."""

from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.lists import AsJson
from cordyna_cli.commands.not_loaded import note_servers_not_loaded
from cordyna_cli.output.errors import task_info_of
from cordyna_cli.output.json_output import consumers_json
from cordyna_cli.render.consumers import consumers_lines


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
        note_servers_not_loaded(call, engine)
    info = task_info_of(tasks, task)
    users = [other for other in tasks if task in other.upstream]
    if json:
        call.out.print_json(consumers_json(info, users))
    else:
        call.out.print(consumers_lines(info, users, call.out.width))

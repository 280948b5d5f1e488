"""describe: everything that is declared about a task."""

from typing import Annotated, Final

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.not_loaded import note_servers_not_loaded
from cordyna_cli.commands.paused_crons import paused_tasks
from cordyna_cli.output.errors import task_info_of
from cordyna_cli.output.json_output import describe_json
from cordyna_cli.render.describe import describe_lines
from cordyna_core.contract.views.runs import RunCriteria

RUNS_SHOWN: Final = 5


def describe(
    ctx: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's name.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What a task takes, needs and serves, when it runs, and its last runs."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        tasks = engine.tasks()
        note_servers_not_loaded(call, engine)
        info = task_info_of(tasks, task)
        runs = engine.runs(RUNS_SHOWN, RunCriteria(task=task))
        paused = info.cron is not None and task in paused_tasks(call, engine)
    if paused:
        info = info.model_copy(update={"next_at": None})
    downstream = [other.task for other in tasks if task in other.upstream]
    if json:
        call.out.print_json(describe_json(info, downstream, runs))
    else:
        now = call.environment.now()
        call.out.print(describe_lines(info, downstream, runs, now, call.out.width, paused=paused))

"""runs, tasks, servers: look around."""

from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import BaseModel

from cordyna_cli.command_context import CommandContext
from cordyna_cli.output.json_output import array_json
from cordyna_cli.render.lists import runs_table, servers_table, tasks_table

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON array.")]


def runs(
    ctx: typer.Context,
    *,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many.")] = 20,
    json: AsJson = False,
) -> None:
    """The newest runs first."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        summaries = engine.runs(limit)
    if json:
        call.out.print_json(array_json(summaries))
    else:
        call.out.print(runs_table(summaries, call.environment.now(), call.out.width))
    if not summaries:
        call.err.print(["there is no run yet", "  next: dyna do TASK"])


def tasks(ctx: typer.Context, *, json: AsJson = False) -> None:
    """Every declared task, with what it needs and its cron."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        declared = engine.tasks()
    if json:
        call.out.print_json(array_json(declared))
    else:
        call.out.print(tasks_table(declared, call.out.width))
    _hint_if_empty(call, declared)


def servers(ctx: typer.Context, *, json: AsJson = False) -> None:
    """Every task server, and its last sign of life."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        known = engine.servers()
    if json:
        call.out.print_json(array_json(known))
    else:
        problems = [f"{info.server}: {info.problem}" for info in known if info.problem]
        call.err.print([line for problem in problems for line in problem.splitlines()])
        call.out.print(servers_table(known, call.environment.now(), call.out.width))
    _hint_if_empty(call, known)


def _hint_if_empty(call: CommandContext, rows: Sequence[BaseModel]) -> None:
    if not rows:
        call.err.print(
            [
                "no task server has declared anything",
                "  next: name one, for example `dyna --server my.py tasks`",
            ]
        )

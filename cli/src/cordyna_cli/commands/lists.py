"""runs, tasks: look around."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import BaseModel

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.not_loaded import note_servers_not_loaded
from cordyna_cli.input.parse_time import parse_moment
from cordyna_cli.output.json_output import array_json
from cordyna_cli.render.lists import runs_table, tasks_table
from cordyna_core.contract.views.runs import RunCriteria

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON array.")]


class StateFilter(StrEnum):
    """The states by which runs are listed."""

    running = "running"
    failing = "failing"
    completed = "completed"
    error = "error"
    cancelled = "cancelled"


def runs(
    ctx: typer.Context,
    *,
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=1, max=10_000, help="How many. Default: 20.")
    ] = 20,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="Only runs of this task.")
    ] = None,
    state: Annotated[
        StateFilter | None,
        typer.Option(help="Only runs in this state; a cancelled run is in no other."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="SPAN_OR_DATE", help="Only runs since then: 2h, 7d, 2026-11-01."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="SPAN_OR_DATE", help="Only runs from before then.")
    ] = None,
    json: AsJson = False,
) -> None:
    """The newest runs first, of the newest 10,000.

    In JSON the `state` of a cancelled run is `error`, as in events, and `cancelled` is true.
    """
    call = CommandContext(ctx)
    now = call.environment.now()
    criteria = RunCriteria(
        task=task,
        state=None if state is None else state.value,
        since=None if since is None else parse_moment(since, now, "--since"),
        until=None if until is None else parse_moment(until, now, "--until"),
    )
    with call.engine() as engine:
        summaries = engine.runs(limit, criteria)
        where = engine.location().shown
    if json:
        call.out.print_json(array_json(summaries))
    else:
        call.out.print(runs_table(summaries, now, call.out.width))
    if not summaries and criteria == RunCriteria():
        call.err.note([f"there is no run yet ({where})", "  next: dyna do TASK"])
    elif not summaries:
        call.err.note(["no run matches", "  next: dyna runs"])


def tasks(ctx: typer.Context, *, json: AsJson = False) -> None:
    """Every declared task, with what it needs and its cron."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        declared = engine.tasks()
        is_incomplete = note_servers_not_loaded(call, engine)
    if json:
        call.out.print_json(array_json(declared))
    else:
        call.out.print(tasks_table(declared, call.out.width))
    if not is_incomplete:
        hint_if_empty(call, declared)


def hint_if_empty(call: CommandContext, rows: Sequence[BaseModel]) -> None:
    """Say how to name a server where nothing has been declared."""
    if not rows:
        call.err.note(
            [
                "no task server has declared anything",
                "  next: `dyna init` makes a project; `dyna --server my.py tasks` names a server",
            ]
        )

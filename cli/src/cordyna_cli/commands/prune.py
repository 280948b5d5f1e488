"""prune: delete what ended long ago, and return the space."""

from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.input.parse_time import parse_seconds
from cordyna_cli.operations import operations_of
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.run_ids import find_run_to_end
from cordyna_cli.wording.format import plural
from cordyna_core.errors import NotFound, UserError


def prune(
    ctx: typer.Context,
    *,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="SPAN", help="Runs that ended before that.")
    ] = "30d",
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Only this run, even if it is damaged: its id, or the beginning of it.",
        ),
    ] = None,
) -> ExitStatus:
    """Delete runs that ended long ago, with their logs and events, and return the space."""
    call = CommandContext(ctx)
    with call.engine_without_declaring() as engine:
        operations = operations_of(engine, "prune")
        prune_runs = getattr(operations, "prune", None)
        prune_run = getattr(operations, "prune_run", None)
        if prune_runs is None or prune_run is None:
            raise UserError(
                "`dyna prune` is for the home of this machine.",
                why="on AWS, what ended expires by itself",
                next="dyna --home DIR prune",
            )
        if run is None:
            call.out.print([f"{plural(prune_runs(parse_seconds(older_than)), 'run')} deleted"])
            return ExitStatus.COMPLETED
        run_id = find_run_to_end(engine, run)
        if not prune_run(run_id):
            raise NotFound(f'there is no run "{run_id}".', next="`dyna runs` lists the newest")
        call.out.print([f"run {run_id} deleted"])
    return ExitStatus.COMPLETED

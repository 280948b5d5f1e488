"""replay: decide a run again."""

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.do import AsJson, Run
from cordyna_cli.input.run_selector import resolve_run_id
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import replay_json
from cordyna_cli.render.replay import replay_lines


def replay(ctx: typer.Context, run: Run = None, *, json: AsJson = False) -> ExitStatus:
    """Decide a run again from its events, and show what would differ now; exit with 1 if it would.

    Nothing runs and nothing changes: the answers of the task servers are taken from the events,
    and clocks run in virtual time.
    """
    call = CommandContext(ctx)
    with call.engine_without_declaring() as engine:
        view = engine.replay(resolve_run_id(engine, run))
    if json:
        call.out.print_json(replay_json(view))
    else:
        call.out.print(replay_lines(view, call.out.width))
    return ExitStatus.ENDED_IN_ERROR if view.divergences else ExitStatus.COMPLETED

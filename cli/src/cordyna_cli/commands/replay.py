"""replay: decide a run once more."""

import typer

from cordyna_cli.commands.do import AsJson, Run
from cordyna_cli.input.command_context import CommandContext
from cordyna_cli.input.run_selector import resolve_run_id
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import replay_json
from cordyna_cli.render.replay import replay_lines


def replay(ctx: typer.Context, run: Run = None, *, json: AsJson = False) -> ExitStatus:
    """Decide a run once more from its events, and say where it would go differently now; exit with 1 if it would.

    Nothing is run and nothing is changed: what the task servers said is taken as they said it, and clocks run in virtual time.
    """
    call = CommandContext(ctx)
    with call.engine_as_it_is() as engine:
        view = engine.replay(resolve_run_id(engine, run))
    if json:
        call.out.print_json(replay_json(view))
    else:
        call.out.print(replay_lines(view, call.out.width))
    return ExitStatus.ENDED_IN_ERROR if view.divergences else ExitStatus.COMPLETED

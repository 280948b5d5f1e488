"""replay: decide a run once more."""

import typer

from cordyna_core.cli.call import Call
from cordyna_core.cli.commands.do import AsJson, Run
from cordyna_core.cli.exit_status import ExitStatus
from cordyna_core.cli.published import replay_json
from cordyna_core.cli.render.replay import replay_lines
from cordyna_core.cli.which_run import run_id_of


def replay(ctx: typer.Context, run: Run = None, *, json: AsJson = False) -> ExitStatus:
    """Decide a run once more from its events, and say where it would go differently now; exit with 1 if it would.

    Nothing is run and nothing is changed: what the task servers said is taken as they said it, and clocks run in virtual time.
    """
    call = Call(ctx)
    with call.engine_as_it_is() as engine:
        view = engine.replay(run_id_of(engine, run))
    if json:
        call.out.print_json(replay_json(view))
    else:
        call.out.print(replay_lines(view, call.out.width))
    return ExitStatus.ENDED_IN_ERROR if view.divergences else ExitStatus.COMPLETED

"""Follow a run to its end, or for a given time, and report its outcome.

Invariant: following changes nothing in the run; when it ends early, the command that continues it
is shown.
"""

import shlex
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from cordyna_cli.command_context import CommandContext
from cordyna_cli.engine import Engine
from cordyna_cli.live_progress import LiveTree, ProgressLines
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import run_json
from cordyna_cli.render.run.outcome import whole_run
from cordyna_cli.render.run.progress import progress_line
from cordyna_cli.wording.format import duration
from cordyna_core.contract.views.runs import RunView

EndedBecause = Literal["run ended", "wait ended", "interrupted"]


class Display(AbstractContextManager["Display"], Protocol):
    """Shows a run after each change."""

    def show(self, view: RunView) -> None: ...


@dataclass(frozen=True, slots=True)
class FollowedRun:
    """The last view of the run, and why following ended."""

    view: RunView
    because: EndedBecause


def follow_run(
    call: CommandContext, engine: Engine, run_id: str, wait_s: float | None
) -> FollowedRun:
    """Show the run until it ends, `wait_s` has passed, or Ctrl-C. Raises NotFound."""
    view = engine.run(run_id)
    because: EndedBecause = "wait ended"
    with _display(call) as display:
        try:
            for view in engine.follow(run_id, timeout_s=wait_s):
                display.show(view)
        except KeyboardInterrupt:
            because = "interrupted"
    return FollowedRun(view, "run ended" if view.is_final else because)


def report_outcome(
    call: CommandContext, followed: FollowedRun, *, as_json: bool, wait_s: float | None
) -> ExitStatus:
    """Print the result, or how to continue where there is none yet."""
    view = followed.view
    if as_json:
        call.out.print_json(run_json(view))
    elif followed.because != "interrupted":
        call.out.print(whole_run(view, call.environment.now(), call.out.width, everything=False))
    match followed.because:
        case "run ended":
            return ExitStatus.COMPLETED if view.state == "completed" else ExitStatus.ENDED_IN_ERROR
        case "interrupted":
            call.err.print([progress_line(view, call.environment.now())])
            _print_how_to_continue(call, view, "interrupted")
            return ExitStatus.INTERRUPTED
        case "wait ended":
            _print_how_to_continue(call, view, f"gave up waiting after {duration(wait_s or 0)}")
            return ExitStatus.GAVE_UP_WAITING


def _display(call: CommandContext) -> Display:
    return (
        LiveTree(call.err, call.environment.now, stays=not call.out.is_terminal)
        if call.err.is_terminal
        else ProgressLines(call.err)
    )


def _print_how_to_continue(call: CommandContext, view: RunView, ended: str) -> None:
    if call.settings.engine == "embedded":
        fate = f"run {view.run_id} is kept as it is, and can be taken up."
        # The very same command joins the interrupted run; with --new it would start another.
        argv = [word for word in call.environment.argv if word != "--new"]
        command = shlex.join(["dyna", *argv])
    else:
        fate = f"run {view.run_id} continues."
        command = f"dyna watch {view.run_id}"
    call.err.print([f"{ended}: {fate}", f"  next: {command}"])

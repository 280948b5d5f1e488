"""Watching: follows a run to its end, or until somebody has waited long enough, and says what came of it.

Law: watching changes nothing in the run; whoever stops watching is told how to take it up again.
"""

import shlex
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from cordyna_cli.engine import Engine
from cordyna_cli.input.command_context import CommandContext
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import run_json
from cordyna_cli.output.live_progress import LiveTree, ProgressLines
from cordyna_cli.render.run.outcome import whole_run
from cordyna_cli.render.run.progress import progress_line
from cordyna_cli.wording.format import duration
from cordyna_core.contract.views.runs import RunView


class Display(AbstractContextManager["Display"], Protocol):
    """Shows a run each time it has changed."""

    def show(self, view: RunView) -> None: ...


@dataclass(frozen=True, slots=True)
class Watched:
    """The run as it was last seen, and why nobody looks on."""

    view: RunView
    because: Literal["it ended", "waited long enough", "interrupted"]


def watch_run(call: CommandContext, engine: Engine, run_id: str, wait_s: float | None) -> Watched:
    """Until the run ends, `wait_s` has passed, or Ctrl-C. Raises NotFound."""
    view = engine.run(run_id)
    because: Literal["waited long enough", "interrupted"] = "waited long enough"
    with _display(call) as display:
        try:
            for view in engine.follow(run_id, timeout_s=wait_s):
                display.show(view)
        except KeyboardInterrupt:
            because = "interrupted"
    return Watched(view, "it ended" if view.is_final else because)


def report_outcome(
    call: CommandContext, watched: Watched, *, as_json: bool, wait_s: float | None
) -> ExitStatus:
    """Print the result, and what to do where there is none yet."""
    view = watched.view
    if as_json:
        call.out.print_json(run_json(view))
    elif watched.because != "interrupted":
        call.out.print(whole_run(view, call.environment.now(), call.out.width, everything=False))
    match watched.because:
        case "it ended":
            return ExitStatus.COMPLETED if view.state == "completed" else ExitStatus.ENDED_IN_ERROR
        case "interrupted":
            call.err.print(
                [
                    progress_line(view, call.environment.now()),
                    f"interrupted: {_what_becomes_of_it(call, view)}",
                    f"  next: {_again(call, view)}",
                ]
            )
            return ExitStatus.INTERRUPTED
        case "waited long enough":
            call.err.print(
                [
                    f"gave up waiting after {duration(wait_s or 0)}: {_what_becomes_of_it(call, view)}",
                    f"  next: {_again(call, view)}",
                ]
            )
            return ExitStatus.GAVE_UP_WAITING


def _display(call: CommandContext) -> Display:
    return (
        LiveTree(call.err, call.environment.now, stays=not call.out.is_terminal)
        if call.err.is_terminal
        else ProgressLines(call.err)
    )


def _what_becomes_of_it(call: CommandContext, view: RunView) -> str:
    if call.settings.engine == "embedded":
        return f"run {view.run_id} is kept as it is, and can be taken up."
    return f"run {view.run_id} goes on without you."


def _again(call: CommandContext, view: RunView) -> str:
    if call.settings.engine == "embedded":
        # The very same command joins the interrupted run; with --new it would start another.
        return shlex.join(["dyna", *(word for word in call.environment.argv if word != "--new")])
    return f"dyna watch {view.run_id}"

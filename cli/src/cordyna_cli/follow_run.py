"""Follow a run to its end, or for a given time, and report its outcome.

Invariant: following changes nothing in the run; when it ends early, the command that continues it
is shown.
"""

import shlex
import signal
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from cordyna_cli.attempt_errors import AttemptErrors
from cordyna_cli.command_context import CommandContext
from cordyna_cli.engine import Engine
from cordyna_cli.live_progress import LiveTree, ProgressLines
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import run_json
from cordyna_cli.render.run.outcome import whole_run
from cordyna_cli.render.run.progress import progress_line
from cordyna_cli.task_progress import TaskProgress
from cordyna_cli.termination import terminable
from cordyna_cli.wording.driver import START_A_DRIVER
from cordyna_cli.wording.format import duration
from cordyna_core.contract.views.runs import RunView

EndedBecause = Literal["run ended", "wait ended", "interrupted", "terminated"]


class _Terminated(KeyboardInterrupt):
    """SIGTERM: as Ctrl-C, but it is named as what it is."""


class Display(AbstractContextManager["Display"], Protocol):
    """Shows a run after each change."""

    def show(self, view: RunView) -> None: ...


@dataclass(frozen=True, slots=True)
class FollowedRun:
    """The last view of the run, and why following ended.

    `driven_here`: the run proceeds only while a process like this one waits for it. `is_driven`:
    some process drives it, this one or another.
    """

    view: RunView
    because: EndedBecause
    driven_here: bool
    is_driven: bool = True


def follow_run(
    call: CommandContext,
    engine: Engine,
    run_id: str,
    wait_s: float | None,
    *,
    before: RunView | None = None,
) -> FollowedRun:
    """Show the run until it ends, `wait_s` has passed, Ctrl-C or SIGTERM. Raises NotFound.

    `before`: what was known before the command that follows it; only what is new is shown as lines.
    """
    view = engine.run(run_id)
    because: EndedBecause = "wait ended"
    progress = TaskProgress(run_id)
    with (
        terminable(_Terminated, signal.SIG_DFL),
        _display(call, AttemptErrors(engine, run_id), before) as display,
    ):
        try:
            for view in engine.follow(run_id, timeout_s=wait_s):
                display.show(progress.added_to(view, engine))
        except _Terminated:
            because = "terminated"
        except KeyboardInterrupt:
            because = "interrupted"
    return FollowedRun(
        view,
        "run ended" if view.is_final else because,
        engine.drives,
        call.is_driven(engine),
    )


def report_outcome(
    call: CommandContext,
    followed: FollowedRun,
    *,
    as_json: bool,
    wait_s: float | None,
    joined: bool | None = None,
) -> ExitStatus:
    """Print the result, or how to continue where it has not ended. `joined`: see `run_json`."""
    view = followed.view
    if as_json:
        call.out.print_json(run_json(view, joined=joined))
    elif followed.because not in ("interrupted", "terminated"):
        call.out.print(whole_run(view, call.environment.now(), call.out.width, everything=False))
    match followed.because:
        case "run ended":
            return ExitStatus.COMPLETED if view.state == "completed" else ExitStatus.ENDED_IN_ERROR
        case "interrupted" | "terminated":
            call.err.print([progress_line(view, call.environment.now())])
            _print_how_to_continue(call, followed, followed.because)
            return ExitStatus.INTERRUPTED
        case "wait ended":
            _print_how_to_continue(call, followed, f"gave up waiting after {duration(wait_s or 0)}")
            return ExitStatus.GAVE_UP_WAITING


def _display(call: CommandContext, errors: AttemptErrors, before: RunView | None) -> Display:
    return (
        LiveTree(call.err, call.environment.now, stays=not call.out.is_terminal)
        if call.err.is_terminal
        else ProgressLines(call.err, errors, before)
    )


def _print_how_to_continue(call: CommandContext, followed: FollowedRun, ended: str) -> None:
    run_id = followed.view.run_id
    if followed.driven_here:
        fate = f"run {run_id} is kept as it is, and can be taken up."
        # The very same command joins the interrupted run; with --new it would start another.
        argv = [word for word in call.environment.argv if word != "--new"]
        command = shlex.join(["dyna", *argv])
    elif not followed.is_driven:
        fate = f"run {run_id} rests: no process drives it."
        command = START_A_DRIVER
    else:
        fate = f"run {run_id} continues."
        if call.settings.engine == "embedded":
            fate = f"run {run_id} continues: another process drives it."
        command = f"dyna watch {run_id}"
    call.err.note([f"{ended}: {fate}", f"  next: {command}"])

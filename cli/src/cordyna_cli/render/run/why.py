"""Why: the reason of a run or a task as lines of a terminal."""

from rich.text import Text

from cordyna_cli.render.layout.paragraph import wrapped
from cordyna_cli.wording.foreign_text import printable
from cordyna_cli.wording.status_marks import mark_of, run_mark
from cordyna_cli.wording.why import Why
from cordyna_core.contract.reasons import Mark
from cordyna_core.contract.views.runs import RunView, TaskView


def why_lines(view: RunView, why: Why, width: int | None = None) -> list[Text]:
    """Return the reason of a run, its sign in front."""
    return _lines(run_mark(view), why, width)


def why_task_lines(task: TaskView, why: Why, width: int | None = None) -> list[Text]:
    """Return the reason of a task, its sign in front."""
    return _lines(mark_of(task), why, width)


def _lines(mark: Mark, why: Why, width: int | None) -> list[Text]:
    """Sentences are wrapped at `width`; a command never is, so that it can be copied."""
    text = [
        Text.assemble((mark.sign, mark.style), " ", (why.sentence, "bold")),
        *(Text(f"  {detail}") for detail in why.details),
        *(Text(f"    {printable(line)}", style="dim") for line in why.traceback),
    ]
    commands = [f"  next: {why.next_step.command_and_purpose}"]
    if why.retry_step is not None:
        commands.append(f"  once fixed: {why.retry_step.command}")
    return [
        *(part for line in text for part in wrapped(line, width)),
        *(Text(command, style="cyan") for command in commands),
    ]

"""Outcome: a run as a tree with how it ended, its output, and what to do next."""

import json
from datetime import datetime
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.paragraph import cut, wrapped
from cordyna_cli.render.run.progress import attention_list, progress_line
from cordyna_cli.render.run.tree import FOLDED_ABOVE, tree
from cordyna_cli.wording.foreign_text import printable
from cordyna_cli.wording.format import duration, join_names, plural
from cordyna_cli.wording.invocation import invocation_sentence
from cordyna_cli.wording.next_steps import NextStep
from cordyna_cli.wording.outcome import FailedTask, RunOutcome, run_outcome
from cordyna_cli.wording.senders import invoker_of
from cordyna_cli.wording.status_marks import run_mark
from cordyna_core.contract.views.runs import RunView

_TREE_LINES_MAX: Final = 60
_OUTPUT_LINES_MAX: Final = 12
_BLOCKED_NAMES_MAX: Final = 6
_NEXT: Final = "  next: "


def invocation_lines(view: RunView, now: datetime, width: int | None) -> list[Text]:
    """Return when the run was invoked, by whom and with what; nothing where that is not known."""
    sentence = invocation_sentence(view, now)
    return wrapped(Text(sentence, "dim"), width) if sentence else []


def whole_run(view: RunView, now: datetime, width: int | None, *, everything: bool) -> list[Text]:
    """Return the tree, and how the run ended or proceeds.

    On a terminal the tree is folded unless `everything` is asked for."""
    whole = everything or width is None
    lines = tree(view, now, width, whole=whole)
    hint = []
    if not whole and len(view.tasks) > FOLDED_ABOVE:
        if len(lines) > _TREE_LINES_MAX:
            lines = attention_list(view, now, width, _TREE_LINES_MAX)
        hint = [Text(f"  every task: dyna show {view.run_id} --all", style="dim")]
    return [*lines, *hint, Text(), *outcome_lines(view, now, width)]


def outcome_lines(view: RunView, now: datetime, width: int | None) -> list[Text]:
    """Return a few lines that say without the tree how the run ended or proceeds."""
    if not view.is_final:
        return [
            _fit(progress_line(view, now), width),
            *_next_lines((NextStep(do="watch", run=view.run_id),), width),
        ]
    outcome = run_outcome(view, now)
    lines = [*_headline(view, outcome, width), *_failure_lines(outcome)]
    return [
        *(part for line in lines for part in wrapped(line, width)),
        *(_output_lines(view, width) if view.state == "completed" else ()),
        *_next_lines(outcome.next_steps, width),
    ]


def _headline(view: RunView, outcome: RunOutcome, width: int | None) -> list[Text]:
    """Return how it ended and its id; the id below where both do not fit."""
    took = "" if outcome.duration_s is None else f" in {duration(outcome.duration_s)}"
    mark = run_mark(view)
    head = Text.assemble((f"{mark.sign} {view.task} {outcome.verb}", f"bold {mark.style}"), took)
    sender = invoker_of(view)
    run = Text(f"  run {view.run_id}{f' by {sender}' if sender else ''}", "dim")
    is_wide = width is None or head.cell_len + run.cell_len <= width
    return [head + run] if is_wide else [head, run]


def _failure_lines(outcome: RunOutcome) -> list[Text]:
    lines = [_cause_line(cause) for cause in outcome.causes]
    if outcome.causes_omitted:
        lines.append(Text(f"  and {plural(outcome.causes_omitted, 'more task')} failed"))
    if outcome.blocked:
        names = join_names(outcome.blocked, _BLOCKED_NAMES_MAX)
        lines.append(Text(f"  blocked by that: {names}", style="magenta"))
    return lines


def _cause_line(cause: FailedTask) -> Text:
    note = f", {cause.note}" if cause.note else ""
    owner = f"  owner {cause.owner}" if cause.owner else ""
    return Text.assemble(
        "  ", (cause.task, "bold"), f" on {cause.server}: {cause.reason}{note}", (owner, "dim")
    )


def _output_lines(view: RunView, width: int | None) -> list[Text]:
    target = next((task for task in view.tasks if task.task == view.task), None)
    if target is None or target.output is None:
        return []
    flat = json.dumps(target.output, ensure_ascii=False)
    if width is None or len(flat) + 2 <= width:
        return [Text(f"  {printable(flat)}")]
    lines = [
        cut(Text(f"  {printable(line)}"), width)
        for line in json.dumps(target.output, ensure_ascii=False, indent=2).splitlines()
    ]
    if len(lines) <= _OUTPUT_LINES_MAX:
        return lines
    shown = lines[: _OUTPUT_LINES_MAX - 1]
    rest = f"  … {len(lines) - len(shown)} more lines: dyna show {view.run_id} --json"
    return [*shown, Text(rest, style="dim")]


def _next_lines(steps: tuple[NextStep, ...], width: int | None) -> list[Text]:
    """Return the steps below each other, their purposes aligned, or below where they do not fit.

    A command is never cut or wrapped, so that it can be copied.
    """
    room = max((len(step.command) for step in steps), default=0) + 3
    longest = max((len(step.purpose) for step in steps), default=0)
    is_wide = width is None or len(_NEXT) + room + longest <= width
    lines: list[Text] = []
    for step in steps:
        head = " " * len(_NEXT) if lines else _NEXT
        if is_wide and step.purpose:
            command = (head + step.command.ljust(room), "cyan")
            lines.append(Text.assemble(command, (step.purpose, "dim")))
            continue
        lines.append(Text(head + step.command, style="cyan"))
        if step.purpose:
            purpose = Text(" " * (len(_NEXT) + 2) + step.purpose, style="dim")
            lines += wrapped(purpose, width)
    return lines


def _fit(line: Text, width: int | None) -> Text:
    return line if width is None else cut(line, width)

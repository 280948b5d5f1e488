"""Rehearsal: what declaring would change, whom it touches, and when things would run by themselves."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.text import Text

from cordyna_cli.render.layout.table import Cell, Column, aligned
from cordyna_cli.wording.format import compact_json, join_names, one_line, plural
from cordyna_core.contract.views.rehearsal import (
    CronChange,
    DeclarationView,
    Difference,
    RehearsalView,
    TaskChange,
    TouchedTask,
)

_SIGN: Final = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_EFFECT: Final = {
    "unresolved": ("✗", "bold red", "could not be invoked any more"),
    "resolved": ("✓", "green", "could be invoked at last"),
    "closure": ("~", "yellow", "other tasks would run for it"),
    "declaration": ("~", "dim", "needs what is declared otherwise"),
}
_OUTCOME: Final = {
    "accepted": ("✓", "green", "would be accepted"),
    "rejected": ("✗", "bold red", "would be rejected"),
    "same": ("≡", "dim", "is declared just so: only a sign of life"),
    "older_revision": (
        "≡",
        "dim",
        "has a lower revision than what is accepted: only a sign of life",
    ),
}
_CHANGES: Final = (
    Column(),
    Column("task", yields=1),
    Column("server", yields=2),
    Column("change", yields=3),
)
_TOUCHED: Final = (
    Column(),
    Column("touched", yields=1),
    Column("server", yields=3),
    Column("owner", yields=4),
    Column("effect"),
    Column("by way of", yields=2),
    Column(),
)
_CRONS: Final = (
    Column(),
    Column("runs by itself", yields=1),
    Column("server", yields=2),
    Column("until now"),
    Column(),
    Column("then"),
)
_SENTENCE_LENGTH: Final = 60


def rehearsal_lines(view: RehearsalView, width: int | None = None) -> list[Text]:
    """Each server's outcome, then a table for every kind of change that there is."""
    parts = [
        [_outcome(each) for each in view.declarations],
        _table(_CHANGES, [_changed(view, change) for change in view.tasks], width),
        [_missing(missing.upstream, missing.needed_by) for missing in view.missing],
        _table(_TOUCHED, [_touched(each) for each in view.touched], width),
        _table(_CRONS, [_cron(each) for each in view.crons], width),
        [Text(_total(view), style="bold")],
    ]
    lines: list[Text] = []
    for part in filter(None, parts):
        lines += [Text(), *part] if lines else part
    return lines


def _table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None
) -> list[Text]:
    return aligned(columns, rows, width) if rows else []


def _outcome(declaration: DeclarationView) -> Text:
    sign, style, words = _OUTCOME[declaration.outcome]
    return Text.assemble((sign, style), " ", (declaration.server, "bold"), f" {words}")


def _changed(view: RehearsalView, change: TaskChange) -> tuple[Cell, ...]:
    sign, style = _SIGN[change.change]
    needs = (
        [edge.upstream for edge in view.edges if edge.task == change.task]
        if change.change == "added"
        else []
    )
    told = (
        f"needs {join_names(needs)}"
        if needs
        else "; ".join(_difference(field) for field in change.fields)
    )
    return Text(sign, style), Text(change.task, style), change.server, told


def _difference(field: Difference) -> str:
    if field.what != "upstream":
        return f"{field.what} {_value(field.before)} -> {_value(field.after)}"
    before, after = ([_edge(edge) for edge in edges] for edges in (field.before, field.after))
    changed = [f"-{edge}" for edge in before if edge not in after] + [
        f"+{edge}" for edge in after if edge not in before
    ]
    return f"upstream {join_names(changed)}" if changed else "upstream in another order"


def _edge(edge: Any) -> str:
    return (
        edge
        if isinstance(edge, str)
        else f"{edge['task']} (within {edge['within_s']} s)"
        if edge["within_s"]
        else str(edge["task"])
    )


def _value(value: Any) -> str:
    text = one_line(compact_json(value))
    return (
        "nothing"
        if value is None
        else text
        if len(text) <= _SENTENCE_LENGTH
        else f"{text[:_SENTENCE_LENGTH]}..."
    )


def _missing(name: str, needed_by: list[str]) -> Text:
    return Text.assemble(
        (f"{name}: declared by nobody", "red"),
        f", needed by {join_names(needed_by)}: invoking through it would be refused",
    )


def _touched(task: TouchedTask) -> tuple[Cell, ...]:
    sign, style, words = _EFFECT[task.effect]
    cron = f"cron {task.cron}" if task.cron else ""
    return (
        Text(sign, style),
        task.task,
        task.server,
        task.owner or "",
        Text(words, style),
        " -> ".join(task.path[1:]),
        cron,
    )


def _cron(change: CronChange) -> tuple[Cell, ...]:
    kind = "added" if change.before is None else "removed" if change.after is None else "changed"
    sign, style = _SIGN[kind]
    return (
        Text(sign, style),
        change.task,
        change.server,
        change.before or "never",
        "->",
        change.after or "never",
    )


def _total(view: RehearsalView) -> str:
    return "; ".join(_sums(view)) or "nothing would change"


def _sums(view: RehearsalView) -> Iterator[str]:
    kinds = Counter[str](change.change for change in view.tasks)
    if kinds:
        yield f"{plural(len(view.tasks), 'task')}: " + ", ".join(
            f"{kinds[kind]} {kind}" for kind in _SIGN if kinds[kind]
        )
    if view.touched:
        servers = {each.server for each in view.touched}
        yield f"{plural(len(view.touched), 'task')} of {plural(len(servers), 'other server')} touched"

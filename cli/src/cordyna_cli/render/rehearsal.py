"""Rehearsal: what declaring would change, whose tasks it affects, and when crons would fire."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from rich.text import Text

from cordyna_cli.render.layout.paragraph import wrapped
from cordyna_cli.render.layout.table import Cell, Column, aligned
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import compact_json, join_names, plural
from cordyna_cli.wording.schemas import schema_words
from cordyna_core.contract.views.rehearsal import (
    CronChange,
    DeclarationView,
    Difference,
    RehearsalView,
    TaskChange,
    TouchedTask,
    UnresolvedUpstreamView,
)

_SIGN: Final = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_EFFECT: Final = {
    "unresolved": ("✗", "bold red", "could not be invoked any more"),
    "not_allowed": ("✗", "bold red", "could not be invoked any more: not a consumer"),
    "cron_needs_params": ("✗", "bold red", "its cron would be refused: it needs a parameter"),
    "resolved": ("✓", "green", "could be invoked again"),
    "closure": ("~", "yellow", "other tasks would run for it"),
    "declaration": ("~", "dim", "needs a task with a changed declaration"),
}
_NOTICE: Final = {
    "not_allowed": ("✗", "bold red"),
    "breaks": ("✗", "bold red"),
    "cannot_tell": ("?", "yellow"),
    "deprecated": ("~", "yellow"),
}
_OUTCOME: Final = {
    "accepted": ("✓", "green", "would be accepted"),
    "rejected": ("✗", "bold red", "would be rejected"),
    "same": ("≡", "dim", "is declared like this already: nothing changes"),
    "older_revision": (
        "≡",
        "dim",
        "has a lower revision than the accepted one: nothing changes",
    ),
}
_CHANGES: Final = (
    Column(),
    Column("task", yields=1),
    Column("server", yields=2),
    Column("change", yields=3, prose="wrap"),
)
_AFFECTED: Final = (
    Column(),
    Column("affected", yields=1),
    Column("server", yields=3),
    Column("owner", yields=4),
    Column("effect"),
    Column("through", yields=2, prose="wrap"),
    Column(),
)
_CRONS: Final = (
    Column(),
    Column("cron of", yields=1),
    Column("server", yields=2),
    Column("now"),
    Column(),
    Column("then"),
)
_VALUE_LENGTH_MAX: Final = 60


def rehearsal_lines(view: RehearsalView, width: int | None = None) -> list[Text]:
    """Return each server's outcome, then a table for every kind of change that occurs.

    Where one of the declarations would be rejected, only the outcomes of the others.
    """
    if view.problems:
        # Nothing would change; the caller names the rejected servers and lists the problems.
        return [_outcome(shown) for shown in view.declarations if shown.outcome != "rejected"]
    outcomes = list(map(_outcome, view.declarations))
    parts = [
        outcomes,
        _table(_CHANGES, [_changed(view, change) for change in view.tasks], width),
        _sentences(map(_missing, view.missing), width),
        _table(_AFFECTED, list(map(_affected, view.touched)), width),
        _table(_CRONS, list(map(_cron, view.crons)), width),
        _notices(view, width),
        wrapped(Text(_total(view), style="bold"), width),
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
    words = (
        f"needs {join_names(needs)}"
        if needs
        else "; ".join(_difference(field) for field in change.fields)
    )
    return Text(sign, style), Text(change.task, style), change.server, words


def _difference(field: Difference) -> str:
    if field.what == "output_schema":
        return f"output {_type(field.before)} -> {_type(field.after)}"
    if field.what != "upstream":
        return f"{field.what} {_value(field.before)} -> {_value(field.after)}"
    before, after = ([_edge(edge) for edge in edges] for edges in (field.before, field.after))
    changed = [f"-{edge}" for edge in before if edge not in after] + [
        f"+{edge}" for edge in after if edge not in before
    ]
    return f"upstream {join_names(changed)}" if changed else "upstream in another order"


def _type(schema: Any) -> str:
    return "nothing" if schema is None else schema_words(schema)


def _edge(edge: Any) -> str:
    if isinstance(edge, str):
        return edge
    notes = [
        *([f"within {edge['within_s']} s"] if edge.get("within_s") else []),
        *([f"expects {schema_words(edge['expects'])}"] if edge.get("expects") else []),
        *(["strict"] if edge.get("strict") else []),
    ]
    return f"{edge['task']} ({', '.join(notes)})" if notes else str(edge["task"])


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    text = one_line(compact_json(value))
    return text if len(text) <= _VALUE_LENGTH_MAX else f"{text[:_VALUE_LENGTH_MAX]}..."


def _missing(missing: UnresolvedUpstreamView) -> Text:
    return Text.assemble(
        (f"{missing.upstream}: not declared by any server", "red"),
        f", needed by {join_names(missing.needed_by)}: invoking through it would be refused",
    )


def _notices(view: RehearsalView, width: int | None) -> list[Text]:
    """Return a line for each notice, the gravest kind first: it is for both owners of an edge."""
    ordered = sorted(view.notices, key=lambda notice: list(_NOTICE).index(notice.code))
    lines = [
        Text.assemble(_NOTICE[notice.code], " ", one_line(notice.message)) for notice in ordered
    ]
    return _sentences(lines, width)


def _sentences(lines: Iterable[Text], width: int | None) -> list[Text]:
    return [part for line in lines for part in wrapped(line, width)]


def _affected(task: TouchedTask) -> tuple[Cell, ...]:
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
        servers = {task.server for task in view.touched}
        tasks = plural(len(view.touched), "task")
        yield f"{tasks} of {plural(len(servers), 'other server')} affected"

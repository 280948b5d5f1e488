"""Replay: where a run would go differently, the first divergence first."""

from typing import Any, Final

from rich.text import Text

from cordyna_cli.render.layout.table import Cell, Column, aligned
from cordyna_cli.wording.format import compact_json, one_line, plural, time_of_day
from cordyna_core.contract.views.rehearsal import Difference
from cordyna_core.contract.views.replay import Divergence, ReplayView

_HOW: Final = {
    "missing": ("-", "red", "would not be decided any more"),
    "new": ("+", "green", "would be decided, and was not"),
    "otherwise": ("~", "yellow", "would be decided otherwise"),
    "time": ("~", "yellow", "would be decided at another time"),
    "end": ("~", "yellow", "would end otherwise"),
}
_COLUMNS: Final = (
    Column(),
    Column("when"),
    Column("what", yields=1),
    Column("task", yields=2),
    Column("now", yields=3),
)
_LONGEST: Final = 60


def replay_lines(view: ReplayView, width: int | None = None) -> list[Text]:
    """One line when it goes the same way, else a table."""
    told = f"{plural(view.heard, 'event')} heard again, {plural(view.decided, 'decision')} recorded"
    if not view.divergences:
        return [
            Text.assemble(
                ("✓", "green"),
                " ",
                (f"{view.task} goes the same way", "bold"),
                f": {told}  run {view.run_id}",
            )
        ]
    head = Text.assemble(
        ("✗", "bold red"),
        " ",
        (f"{view.task} would go differently", "bold"),
        f": {told}  run {view.run_id}",
    )
    total = f"{plural(len(view.divergences), 'divergence')}; what comes after the first may follow from it"
    return [
        head,
        Text(),
        *aligned(_COLUMNS, [_row(each) for each in view.divergences], width),
        Text(),
        Text(total, style="bold"),
    ]


def _row(divergence: Divergence) -> tuple[Cell, ...]:
    sign, style, words = _HOW[divergence.how]
    differences = "; ".join(_difference(each) for each in divergence.differences)
    attempt = f"/{divergence.attempt}" if divergence.attempt else ""
    return (
        Text(sign, style),
        time_of_day(divergence.at) if divergence.at else "at the end",
        divergence.what,
        f"{divergence.task}{attempt}" if divergence.task else "",
        f"{words}: {differences}" if differences else words,
    )


def _difference(difference: Difference) -> str:
    return f"{difference.what} {_value(difference.before)} -> {_value(difference.after)}"


def _value(value: Any) -> str:
    text = (
        value
        if isinstance(value, str)
        else "nothing"
        if value is None
        else one_line(compact_json(value))
    )
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."

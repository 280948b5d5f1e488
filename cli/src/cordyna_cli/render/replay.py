"""Replay: where a run would go differently, the first divergence first."""

from typing import Any, Final

from rich.text import Text

from cordyna_cli.render.layout.table import Cell, Column, aligned
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import compact_json, plural, time_of_day
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
    Column("what", yields=2, prose="wrap"),
    Column("task", yields=1),
    Column("now", yields=3, prose="wrap"),
)
_VALUE_LENGTH_MAX: Final = 60


def replay_lines(view: ReplayView, width: int | None = None) -> list[Text]:
    """Return one line where it goes the same way, else a table."""
    events, decisions = plural(view.heard, "event"), plural(view.decided, "decision")
    read = f": {events} read again, {decisions} recorded  run {view.run_id}"
    if not view.divergences:
        verdict = (f"{view.task} goes the same way", "bold")
        return [Text.assemble(("✓", "green"), " ", verdict, read)]
    count = plural(len(view.divergences), "divergence")
    return [
        Text.assemble(("✗", "bold red"), " ", (f"{view.task} would go differently", "bold"), read),
        Text(),
        *aligned(_COLUMNS, [_row(divergence) for divergence in view.divergences], width),
        Text(),
        Text(f"{count}; what comes after the first may follow from it", style="bold"),
    ]


def _row(divergence: Divergence) -> tuple[Cell, ...]:
    sign, style, words = _HOW[divergence.how]
    differences = "; ".join(map(_difference, divergence.differences))
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
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else one_line(compact_json(value))
    return text if len(text) <= _VALUE_LENGTH_MAX else f"{text[:_VALUE_LENGTH_MAX]}..."

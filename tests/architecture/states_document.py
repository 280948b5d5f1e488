"""Draws docs/states.md from the table of transitions.

python -m architecture.states_document (with tests/ on the path) writes it; a test compares.
"""

from pathlib import Path
from typing import Final

from architecture.repository import ROOT
from cerebro.core.model.task_run import Rank
from cerebro.core.run.transitions import TRANSITIONS, Input, Outcome

_TRANSITIONS: Final = "../functions/cerebro/src/cerebro/core/run/transitions.py"
STATES: Final = ROOT / "docs" / "states.md"

_HEAD: Final = """# States

Drawn from `TRANSITIONS` in [`transitions.py`]({transitions}); a test compares.

A task run has a position (attempt, rank) that only moves up.
A row is the rank of its current attempt, a column is what arrives, and a cell is the rank after it.

- An empty cell changes nothing; the effects of the message are repeated.
- *next attempt* ends this attempt and begins the next one.
- *late* adds a line to the timeline and changes nothing else.
- `deadline` applies while a deadline is open: a clock, or the back-off of a failed attempt.
- `older end` is the end of an attempt before the current one.
- `retry` and `rerun` are RetryRun, for failed tasks and for completed ones; `cancel` is CancelRun.
"""


def states_document() -> str:
    """The text of docs/states.md."""
    head = _HEAD.format(transitions=_TRANSITIONS)
    return "\n".join([head, *_table(), "", *_diagram(), ""])


def _table() -> list[str]:
    rows = [
        f"| **{_word(rank)}** ({rank.value}) | "
        + " | ".join(_cell(TRANSITIONS[rank, arrived]) for arrived in Input)
        + " |"
        for rank in Rank
    ]
    head = "| rank | " + " | ".join(arrived.value for arrived in Input) + " |"
    return [head, "|---" * (len(Input) + 1) + "|", *rows]


def _diagram() -> list[str]:
    """The moves of one attempt, without cancellation, which leads from every live rank."""
    moves: dict[tuple[Rank, Rank], list[str]] = {}
    for (rank, arrived), outcome in TRANSITIONS.items():
        if isinstance(outcome, Rank) and outcome is not Rank.CANCELLED:
            moves.setdefault((rank, outcome), []).append(arrived.value)
    lines = [
        f"    {before.name} --> {after.name}: {', '.join(words)}"
        for (before, after), words in moves.items()
    ]
    return ["```mermaid", "stateDiagram-v2", "    [*] --> PENDING: sent", *lines, "```"]


def _cell(outcome: Rank | Outcome) -> str:
    if isinstance(outcome, Rank):
        return _word(outcome)
    return "" if outcome is Outcome.IGNORE else outcome.name.lower().replace("_", " ")


def _word(rank: Rank) -> str:
    return rank.name.lower().replace("_", " ")


def write(path: Path = STATES) -> None:
    """Write the document."""
    path.write_text(states_document())


if __name__ == "__main__":
    write()

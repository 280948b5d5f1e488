"""Operations: findings of `doctor` and dead letters as tables."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from cordyna_cli.operations import DeadLetterQueue, Finding
from cordyna_cli.render.layout.table import Column, aligned, cut
from cordyna_cli.wording.foreign_text import one_line

_SIGNS: Final = {
    "well": Text("✓", "green"),
    "worth a look": Text("!", "yellow"),
    "broken": Text("✗", "bold red"),
}
_FINDINGS: Final = (Column(), Column(), Column(yields=1))
_QUEUES: Final = (
    Column("queue"),
    Column("messages", align="right"),
    Column("can be put back into"),
)


def findings_table(findings: Sequence[Finding], width: int | None) -> list[Text]:
    """A line for each check."""
    rows = [(_SIGNS[finding.state], finding.what, one_line(finding.detail)) for finding in findings]
    return aligned(_FINDINGS, rows, width)


def dead_letter_lines(queues: Sequence[DeadLetterQueue], width: int | None) -> list[Text]:
    """A table of the queues, then samples of each one's messages.

    A message may have a megabyte: a terminal shows its beginning, a pipe the whole.
    """
    rows = [(queue.name, str(queue.messages), queue.back_to or "-") for queue in queues]
    lines = aligned(_QUEUES, rows, width)
    for queue in queues:
        samples = [Text(f"  {one_line(sample)}") for sample in queue.samples]
        lines += [Text(), Text(queue.name, "bold")]
        lines += samples if width is None else [cut(sample, width) for sample in samples]
    return lines

"""Operations: findings of `doctor` and dead letters as tables."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from cordyna_cli.operations import DeadLetterQueue, Finding
from cordyna_cli.render.layout.paragraph import cut, wrapped
from cordyna_cli.render.layout.table import Column, aligned
from cordyna_cli.wording.foreign_text import one_line

_SIGNS: Final = {
    "well": Text("✓", "green"),
    "notice": Text("·", "dim"),
    "worth a look": Text("!", "yellow"),
    "broken": Text("✗", "bold red"),
}
_QUEUES: Final = (
    Column("queue", yields=1),
    Column("messages", align="right"),
    Column("can be put back into", yields=2),
)


def findings_table(findings: Sequence[Finding], width: int | None) -> list[Text]:
    """Return a paragraph for each check."""
    room = max((len(finding.what) for finding in findings), default=0)
    lines = [
        Text.assemble(
            _SIGNS[finding.state], f"  {finding.what.ljust(room)}  ", one_line(finding.detail)
        )
        for finding in findings
    ]
    return [part for line in lines for part in wrapped(line, width, room + 5)]


def dead_letter_lines(queues: Sequence[DeadLetterQueue], width: int | None) -> list[Text]:
    """Return a table of the queues, then samples of each one's messages.

    A message may have a megabyte: a terminal shows its beginning, a pipe the whole.
    """
    rows = [(queue.name, str(queue.messages), queue.back_to or "-") for queue in queues]
    lines = aligned(_QUEUES, rows, width)
    for queue in queues:
        samples = [Text(f"  {one_line(sample)}") for sample in queue.samples]
        lines += [Text(), Text(queue.name, "bold")]
        lines += samples if width is None else [cut(sample, width) for sample in samples]
    return lines

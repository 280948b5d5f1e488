"""Consumers: who uses a task, and who may."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.paragraph import wrapped
from cordyna_cli.render.layout.table import Cell, Column, aligned
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.notices import NOTICE_WORDS, allowed_words, deprecated_words
from cordyna_core.contract.views.graph import TaskInfo

_USERS: Final = (
    Column(),
    Column("used by", yields=1),
    Column("server", yields=2),
    Column("owner", yields=3),
    Column(prose="wrap"),
)
_LABEL_COLUMNS: Final = 12


def consumers_lines(info: TaskInfo, users: Sequence[TaskInfo], width: int | None) -> list[Text]:
    """Who may use the task, and a row for each task that needs it."""
    owner = f"  owner {one_line(info.owner)}" if info.owner else ""
    head = Text.assemble((info.task, "bold"), f" on {info.server}", (owner, "dim"))
    facts = [
        ("consumers", allowed_words(info.consumers)),
        ("invokers", allowed_words(info.invokers)),
        ("deprecated", deprecated_words(info)),
    ]
    labelled = [
        Text.assemble("  ", (label.ljust(_LABEL_COLUMNS), "dim"), words)
        for label, words in facts
        if words
    ]
    text = [part for line in (head, *labelled) for part in wrapped(line, width)]
    rows = [_row(info, user) for user in users]
    table = aligned(_USERS, rows, width) if rows else [Text("no task needs it", style="dim")]
    return [*text, Text(), *table]


def _row(info: TaskInfo, user: TaskInfo) -> tuple[Cell, ...]:
    codes = [notice.code for notice in info.notices if notice.task == user.task]
    is_wrong = "not_allowed" in codes or "breaks" in codes
    sign = Text("✗", "bold red") if is_wrong else Text("✓", "green")
    words = "; ".join(NOTICE_WORDS[code] for code in codes)
    return sign, user.task, user.server, one_line(user.owner or ""), words

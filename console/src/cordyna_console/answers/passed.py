"""Passed: events and output of runs, as rows that can be searched and paged."""

import re
from collections.abc import Iterable
from typing import Final

from cordyna_cli.wording.event_line import event_line
from cordyna_cli.wording.foreign_text import printable
from cordyna_console.console import Console
from cordyna_console.models import EventList, EventRow, LogPage, LogRow
from cordyna_core.contract.views.runs import PassedEvent

EVENT_LIMIT_MAX: Final = 1_000
LOG_LIMIT_MAX: Final = 2_000
TEXT_CHARACTERS_MAX: Final = 20_000


def event_list(
    console: Console,
    run_id: str | None,
    *,
    after: int = 0,
    task: str | None = None,
    limit: int = 200,
) -> EventList:
    """Events above the number `after`. Raises NotFound for an unknown run."""
    if run_id is not None:
        console.engine.structure(run_id)
    rows: list[EventRow] = []
    for passed in console.engine.events(run_id, after=after):
        row = row_of(passed)
        if task is not None and row.task != task:
            continue
        if len(rows) == limit:
            return EventList(rows=rows, next=rows[-1].seq)
        rows.append(row)
    return EventList(rows=rows)


def newest_events(console: Console, count: int) -> list[EventRow]:
    """The last events that passed the bus, in the order in which they passed."""
    return [row_of(passed) for passed in console.engine.events()[-count:]]


def row_of(passed: PassedEvent) -> EventRow:
    """One event as a row; what cannot be read is shown with the reason."""
    line = event_line(passed.text)
    return EventRow(
        seq=passed.seq,
        at=line.at,
        sender=line.sender,
        receiver=line.receiver,
        what=line.message,
        is_command=line.is_command,
        task=line.task,
        attempt=line.attempt,
        detail=line.detail,
        text=passed.text[:TEXT_CHARACTERS_MAX],
    )


def log_page(
    console: Console,
    run_id: str,
    *,
    task: str | None = None,
    attempt: int | None = None,
    q: str | None = None,
    after: int = 0,
    limit: int = 500,
) -> LogPage:
    """Lines with a number above `after` that contain `q`. Raises NotFound for an unknown run."""
    console.engine.structure(run_id)
    lines = console.engine.logs(run_id, task)
    wanted = re.compile(re.escape(q), re.IGNORECASE) if q else None
    numbered = (
        LogRow(
            number=n,
            task=x.task,
            attempt=x.attempt,
            at=x.at,
            stream=x.stream,
            text=printable(x.text),
        )
        for n, x in enumerate(lines, 1)
        if attempt in (None, x.attempt)
    )
    matched = [row for row in numbered if wanted is None or wanted.search(row.text)]
    rows = _page(matched, after, limit)
    more = bool(rows) and rows[-1].number != matched[-1].number
    return LogPage(
        rows=rows, next=rows[-1].number if more else None, total=len(lines), matched=len(matched)
    )


def _page(matched: Iterable[LogRow], after: int, limit: int) -> list[LogRow]:
    return [row for row in matched if row.number > after][:limit]


def log_text(console: Console, run_id: str, task: str | None) -> str:
    """The whole log, a line each. Raises NotFound for an unknown run."""
    console.engine.structure(run_id)
    return "".join(
        f"{line.at.isoformat()} {line.task}/{line.attempt} {line.stream} {printable(line.text)}\n"
        for line in console.engine.logs(run_id, task)
    )

"""Passed: events and output of runs, as rows that can be searched and paged.

Invariant: `next` is the number of the last row of a page: the page after it leaves out nothing and
repeats nothing.
"""

import re
from typing import Final

from cordyna_cli.wording.event_line import event_line
from cordyna_cli.wording.foreign_text import printable
from cordyna_console.console import Console
from cordyna_console.models import EventList, EventRow, LogPage, LogRow
from cordyna_core.contract.views.runs import LogLine, PassedEvent

EVENT_LIMIT_MAX: Final = 1_000
LOG_LIMIT_MAX: Final = 2_000
EVENTS_PER_READ: Final = 1_000
TEXT_CHARACTERS_MAX: Final = 20_000


def event_list(
    console: Console,
    run_id: str | None,
    *,
    after: int = 0,
    task: str | None = None,
    limit: int = 200,
) -> EventList:
    """Return events above the number `after`. Raises NotFound for an unknown run."""
    if run_id is not None:
        console.engine.structure(run_id)
    rows: list[EventRow] = []
    while passed := console.engine.events(run_id, after=after, limit=EVENTS_PER_READ):
        for row in map(row_of, passed):
            if task is not None and row.task != task:
                continue
            if len(rows) == limit:
                return EventList(rows=rows, next=rows[-1].seq)
            rows.append(row)
        after = passed[-1].seq
    return EventList(rows=rows)


def newest_events(console: Console, count: int) -> list[EventRow]:
    """Return the last events that passed the bus, in the order in which they passed."""
    return [row_of(passed) for passed in console.engine.newest_events(count)]


def row_of(passed: PassedEvent) -> EventRow:
    """Return one event as a row; what cannot be read is shown with the reason."""
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
    """Return lines with a number above `after` that contain `q`.

    Raises NotFound for an unknown run.
    """
    console.engine.structure(run_id)
    wanted = re.compile(re.escape(q), re.IGNORECASE) if q else None
    rows: list[LogRow] = []
    total = matched = last = 0
    # Line by line: a log may be longer than memory.
    for total, line in enumerate(console.engine.iter_logs(run_id, task), 1):
        if attempt not in (None, line.attempt):
            continue
        text = printable(line.text)
        if wanted is not None and not wanted.search(text):
            continue
        matched, last = matched + 1, total
        if total > after and len(rows) < limit:
            rows.append(_log_row(total, line, text))
    more = bool(rows) and rows[-1].number != last
    return LogPage(rows=rows, next=rows[-1].number if more else None, total=total, matched=matched)


def _log_row(number: int, line: LogLine, text: str) -> LogRow:
    return LogRow(
        number=number,
        task=line.task,
        attempt=line.attempt,
        at=line.at,
        stream=line.stream,
        text=text,
    )


def log_text(console: Console, run_id: str, task: str | None) -> str:
    """Return the whole log, a line each. Raises NotFound for an unknown run."""
    console.engine.structure(run_id)
    return "".join(
        f"{line.at.isoformat()} {line.task}/{line.attempt} {line.stream} {printable(line.text)}\n"
        for line in console.engine.iter_logs(run_id, task)
    )

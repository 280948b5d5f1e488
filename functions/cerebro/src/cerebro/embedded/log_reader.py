"""Log reader: the lines that tasks printed, read page by page, also while they are written.

Invariant: a log may be longer than memory; at most one page of it is held.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from cerebro.embedded.runtime.session import HomeSession
from cerebro.embedded.storage.event_log import LOG_PAGE_ROWS, LineAssembler
from cerebro.embedded.storage.home import Home
from cerebro.handlers import queries
from cordyna_core.contract.views.runs import LogLine


class LogReader:
    """The logs of one home."""

    def __init__(self, home: Home, session: HomeSession) -> None:
        self._home, self._session = home, session

    def lines(self, run_id: str | None, task: str | None, after: int) -> Iterator[LogLine]:
        """Yield the lines of a run's log so far; of all runs without `run_id`."""
        assembler, at = LineAssembler(), 0.0
        while True:
            with self._session.read_transaction():
                page = self._home.event_log.log_chunks(run_id, task, after, LOG_PAGE_ROWS)
            for stored in page:
                after, at = stored.seq, stored.chunk.at
                yield from assembler.feed(stored.chunk)
            if len(page) < LOG_PAGE_ROWS:
                yield from assembler.rest(at)
                return

    def follow(self, run_id: str, task: str | None) -> Iterator[Sequence[LogLine]]:
        """Yield the lines so far, an empty batch, then those that arrive until the run has ended.

        Raises NotFound.
        """
        assembler, after, at = LineAssembler(), 0, 0.0
        has_ended, is_caught_up = False, False
        while True:
            with self._session.read_transaction():
                page = self._home.event_log.log_chunks(run_id, task, after, LOG_PAGE_ROWS)
            lines: list[LogLine] = []
            for stored in page:
                after, at = stored.seq, stored.chunk.at
                lines += assembler.feed(stored.chunk)
            is_last = len(page) < LOG_PAGE_ROWS
            if is_last and has_ended:
                yield [*lines, *assembler.rest(at)]
                return
            if lines:
                yield lines
            if is_last and not is_caught_up:
                is_caught_up = True
                yield []
            if is_last:
                news = self._session.wait_until(partial(self._news, run_id, task, after))
                has_ended = news == "ended"

    def _news(self, run_id: str, task: str | None, after: int) -> str | None:
        """Return `lines` where there are later chunks, `ended` where the run has ended."""
        if self._home.event_log.log_chunks(run_id, task, after, 1):
            return "lines"
        queries.require_run(self._home.store, run_id)
        run = self._home.store.read_run(run_id)
        return "ended" if run is not None and run.is_over else None

"""The marks of runs in DynamoDB: the list of all runs by time, and which runs are active.

Theory of operation. A run is listed before it is stored, and that is all that it costs: most runs
end within minutes, and a mark that is written and deleted would be a third of the writes of a run
of one task. A sweep reads what was listed since the sweep before (`SWEPT`), and marks what still
runs; a later sweep deletes the mark of a run that is over. A run that is reopened may have been
listed long ago, so it is marked before it is stored.

Invariant: a stored run that is not over is marked, or was listed after `until` of its partition.
The sweep keeps `until` WRITTEN_WITHIN_S behind its own begin: whatever is listed before it has been
stored by then, or never will be.
"""

import heapq
import logging
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from cerebro.adapters.aws.dynamodb_table import BATCH_GET_MAX_ITEMS, Item, Key, Table
from cerebro.core.model.run import Run
from cerebro.ports import DamagedItem
from cordyna_core.ports import Clock

_log = logging.getLogger(__name__)

DAY_S: Final = 24 * 3600.0
SHARDS: Final = 4
"""Partitions of the list of a month, and of the marks of active runs."""

WRITTEN_WITHIN_S: Final = 120.0
"""A run is stored so long after its creation, or never: a minute is the planner's timeout
(infra/cordyna_infra/handlers.py), another one for two clocks that differ and for a read that shows
the table as it was a moment ago.
"""

NEW_RUNS_READ_MAX: Final = 20_000
"""Of the runs since the last sweep, the newest ones that are looked at to find active ones."""


class RunMarks:
    """The list of runs, and the marks of active ones. `pages_of` a run: how many it has."""

    def __init__(
        self, table: Table, clock: Clock, retention_s: float, pages_of: Callable[[Run], int]
    ) -> None:
        self._table, self._clock, self._retention_s = table, clock, retention_s
        self._pages_of = pages_of

    def list_run(self, run: Run, expires_at: int) -> None:
        """Add a run to the list of all runs; before it is stored."""
        partition = _partition(_month(run.created_at), _shard_of(run.id))
        self._table.put({"pk": partition, "sk": age_of(run), "expires_at": expires_at})

    def mark_active(self, run: Run, expires_at: int) -> None:
        """Mark a run as active, unless a later version of it is marked; before it is stored."""
        self._table.put(
            {
                "pk": _active(_shard_of(run.id)),
                "sk": run.id,
                "version": run.version,
                "pages": self._pages_of(run),
                "expires_at": expires_at,
            },
            "attribute_not_exists(#pk) or #version <= :version",
            version=run.version,
        )

    def newest(self, page: int) -> Iterator[str]:
        """Yield what `age_of` gives for all listed runs, newest first.

        They are read by requests of `page` items.
        """
        # Begin tomorrow: a process whose clock is ahead may have created a run there.
        days = range(-1, int(self._retention_s / DAY_S) + 1)
        now = self._clock()
        for month in dict.fromkeys(_month(now - day * DAY_S) for day in days):
            # Without a shard: marks that were written before they were sharded.
            partitions = [month, *(_partition(month, shard) for shard in range(SHARDS))]
            newest_first = (
                self._table.query(partition, backwards=True, page=page) for partition in partitions
            )
            yield from heapq.merge(
                *((str(item["sk"]) for item in items) for items in newest_first), reverse=True
            )

    def candidates(self) -> list[str]:
        """Return the ids of all marked runs, and of the newest that no sweep has reached yet."""
        marked = [
            str(item["sk"]) for shard in range(SHARDS) for item in self._table.query(_active(shard))
        ]
        until = [f"{self._swept_until(shard):017.6f}" for shard in range(SHARDS)]
        oldest = min(until)
        new: list[str] = []
        for age in islice(self.newest(BATCH_GET_MAX_ITEMS), NEW_RUNS_READ_MAX):
            if age <= oldest:
                break
            if age > until[_shard_of(run_of(age))]:
                new.append(run_of(age))
        return list(dict.fromkeys([*marked, *new]))

    def active_pages(
        self, shard: int, after: str, read: Callable[[list[str]], Mapping[str, Run]]
    ) -> Iterator[tuple[str, int]]:
        """See handlers.sweep.ActivePages. Deletes the marks of runs that are over."""
        marks = self._table.query(_active(shard), after=after)
        while batch := list(islice(marks, BATCH_GET_MAX_ITEMS)):
            runs = read([str(mark["sk"]) for mark in batch])
            for mark in batch:
                run = runs.get(str(mark["sk"]))
                if run is not None and run.is_over:
                    self._unmark(run)
                elif run is not None:
                    yield run.id, self._marked_pages(mark, run)

    def new_active_pages(
        self, shard: int, read: Callable[[list[str]], Mapping[str, Run]]
    ) -> Iterator[tuple[str, int]]:
        """See handlers.sweep.ActivePages. What was listed meanwhile is for the next sweep."""
        until, settled = self._swept_until(shard), self._clock() - WRITTEN_WITHIN_S
        listed = self._listed_since(shard, until)
        while batch := list(islice(listed, BATCH_GET_MAX_ITEMS)):
            runs = read([run_of(str(mark["sk"])) for mark in batch])
            for mark in batch:
                run = runs.get(run_of(str(mark["sk"])))
                # A mark with another time: see `RunItems.runs`.
                if run is not None and not run.is_over and age_of(run) == mark["sk"]:
                    self.mark_active(run, int(float(mark["expires_at"])))
                    yield run.id, self._pages_of(run)
            until = min(_created(str(batch[-1]["sk"])), settled)
            self._note_swept(shard, until)
        if until < settled:
            self._note_swept(shard, settled)

    def _marked_pages(self, mark: Item, run: Run) -> int:
        try:
            return self._table.decoded(mark, _pages) or self._pages_of(run)
        except DamagedItem:
            # It must keep no other run from being swept.
            _log.exception("the mark of run %s cannot be read", run.id)
            return self._pages_of(run)

    def _listed_since(self, shard: int, at: float) -> Iterator[Item]:
        days = range(int((self._clock() - at) / DAY_S) + 1, -2, -1)
        months = dict.fromkeys(_month(self._clock() - day * DAY_S) for day in days)
        for month in months:
            yield from self._table.query(_partition(month, shard), after=f"{at:017.6f}")

    def _swept_until(self, shard: int) -> float:
        item = self._table.get(_swept(shard))
        return self._table.decoded(item, _until) if item else self._clock() - self._retention_s

    def _note_swept(self, shard: int, until: float) -> None:
        pk, sk = _swept(shard)
        self._table.put({"pk": pk, "sk": sk, "until": until})

    def _unmark(self, run: Run) -> None:
        # The version fences the deletion: who reopens the run marks a later version of it first.
        self._table.delete(
            (_active(_shard_of(run.id)), run.id),
            "attribute_not_exists(#pk) or #version <= :version",
            version=run.version,
        )


def age_of(run: Run) -> str:
    """Return the sort key of a run in the list: by its creation."""
    return f"{run.created_at:017.6f}#{run.id}"


def run_of(age: str) -> str:
    """Return the id of the run that is listed under `age`."""
    return age.partition("#")[2]


def _created(age: str) -> float:
    return float(age.partition("#")[0])


def _shard_of(run_id: str) -> int:
    return zlib.crc32(run_id.encode()) % SHARDS


def _active(shard: int) -> str:
    return f"ACTIVE#{shard}"


def _pages(mark: Item) -> int:
    """Return the pages of a marked run; 0 for a mark without them, of an older version."""
    return int(mark.get("pages", 0))


def _until(item: Item) -> float:
    return float(item["until"])


def _swept(shard: int) -> Key:
    return "SWEPT", str(shard)


def _month(at: float) -> str:
    return f"RUNS#{datetime.fromtimestamp(at, UTC):%Y-%m}"


def _partition(month: str, shard: int) -> str:
    return f"{month}#{shard}"

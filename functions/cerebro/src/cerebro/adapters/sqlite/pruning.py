"""Pruning: delete what belongs to runs that ended long ago, in small steps, and return the space.

Invariant: a run is pruned by the time of its end, with everything that belongs to it: facts,
outputs, events, logs, its plan, results that only its outputs hold. An active run keeps the
runs whose results its plan reuses.

What is deleted is written to the write-ahead log first. On a disk that is nearly full, the log is
emptied and the step is repeated with less in it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from cerebro.adapters.codecs import decode_plan
from cerebro.adapters.sqlite.database import DiskFull, SqliteFile, free_bytes

RUNS_PER_STEP_MAX: Final = 50
EVENTS_PER_STEP_MAX: Final = 2000
PAGES_PER_STEP_MAX: Final = 2000
"""A step holds the engine's lock for some ten milliseconds."""

FREE_BYTES_LOW: Final = 64 * 1024 * 1024
DIVISOR_OF_LOW: Final = 64
DIVISOR_MAX: Final = 4096
"""A step on a nearly full disk is smaller by this much; by the last, it is of one run or page."""

T = TypeVar("T")

_OF_RUN: Final = (
    ("tasks", "run_id"),
    ("outputs", "run_id"),
    ("events", "run_id"),
    ("logs", "run_id"),
    ("lasts", "run_id"),
    ("waited_for", "run_id"),
    ("runs", "id"),
)


@dataclass(frozen=True, slots=True)
class PruneStep:
    """The result of one step. `is_done`: nothing is left to delete."""

    runs: int
    is_done: bool


class Pruner:
    """Prunes one database. Each method is one transaction or less."""

    def __init__(self, file: SqliteFile) -> None:
        self._file, self._db = file, file.db
        self._divisor = 1

    def _fitting(self, step: Callable[[], T]) -> T:
        """Do a step; on a full disk a smaller one. Raises DiskFull if the smallest does not fit."""
        if free_bytes(self._file.path) < FREE_BYTES_LOW:
            # A step that does not fit would fill what is left with its part of the log.
            self._divisor = max(self._divisor, DIVISOR_OF_LOW)
            self._empty_log()
        while True:
            try:
                result = step()
            except DiskFull:
                if self._divisor >= DIVISOR_MAX:
                    raise
                self._divisor *= 4
                self._empty_log()
            else:
                if self._divisor > 1:
                    self._empty_log()
                return result

    def _empty_log(self) -> None:
        with suppress(DiskFull):  # The next step shows whether there is room.
            self.truncate_wal()

    def _per_step(self, most: int) -> int:
        return max(1, most // self._divisor)

    def prune_step(self, ended_before: float) -> PruneStep:
        """Delete up to RUNS_PER_STEP_MAX runs that ended before then (UTC seconds)."""
        return self._fitting(lambda: self._prune(ended_before))

    def _prune(self, ended_before: float) -> PruneStep:
        runs_max = self._per_step(RUNS_PER_STEP_MAX)
        with self._file.transaction():
            reused = self._reused_runs()
            rows = self._db.execute(
                "select id from runs where ended_at < ? order by ended_at limit ?",
                (ended_before, runs_max + len(reused)),
            ).fetchall()
            run_ids = [run_id for (run_id,) in rows if run_id not in reused][:runs_max]
            self._delete_runs(run_ids)
            is_done = len(run_ids) < runs_max and not self._delete_other(ended_before)
        return PruneStep(len(run_ids), is_done)

    def prune_run(self, run_id: str) -> bool:
        """Delete one run that has ended or cannot be decoded. Returns whether there was one."""
        return self._fitting(lambda: self._prune_one(run_id))

    def _prune_one(self, run_id: str) -> bool:
        with self._file.transaction():
            existed = self._db.execute("select 1 from runs where id = ?", (run_id,)).fetchone()
            self._delete_runs([run_id])
            self._delete_unused_plans()
        return existed is not None

    def give_back_step(self) -> bool:
        """Return free pages to the file system. Returns whether more are free."""
        return self._fitting(self._give_back)

    def _give_back(self) -> bool:
        with self._file.reading():
            free = self._free_pages()
        if not free:
            return False
        # In a transaction, which waits for the lock of another program.
        with self._file.transaction():
            for _ in range(min(free, self._per_step(PAGES_PER_STEP_MAX))):
                # A statement without rows is run for its first page only.
                self._db.execute("pragma incremental_vacuum(1)").fetchall()
        with self._file.reading():
            left = self._free_pages()
            self._db.execute("pragma wal_checkpoint(passive)").fetchall()
        return 0 < left < free

    def _free_pages(self) -> int:
        return int(self._db.execute("pragma freelist_count").fetchone()[0])

    def truncate_wal(self) -> None:
        """Empty the write-ahead log, if no reader needs it."""
        with self._file.reading():
            self._db.execute("pragma wal_checkpoint(truncate)").fetchall()

    def _reused_runs(self) -> frozenset[str]:
        """Return the runs whose results the plans of active runs reuse."""
        rows = self._db.execute(
            "select plan from plans where id in (select plan_id from runs where status = 'running')"
        )
        return frozenset(
            task.reuses.run_id
            for (plan,) in rows
            for task in decode_plan(plan).tasks
            if task.reuses
        )

    def _delete_runs(self, run_ids: list[str]) -> None:
        for table, column in _OF_RUN:
            self._db.executemany(
                f"delete from {table} where {column} = ?",  # noqa: S608 names of the table above
                [(run_id,) for run_id in run_ids],
            )
        self._file.note_other_write()

    def _delete_other(self, before: float) -> int:
        """Delete what belongs to no stored run. Returns the number of events; 0 at the end."""
        deleted = self._db.execute(
            "delete from events where seq in"
            " (select seq from events where run_id is null and at < ? limit ?)",
            (before, self._per_step(EVENTS_PER_STEP_MAX)),
        ).rowcount
        self._delete_unused_plans()
        self._db.execute("delete from lasts where dispatched_at < ?", (before,))
        self._db.execute("delete from dead_letters where at < ?", (before,))
        self._db.execute("delete from incidents where closed_at < ?", (before,))
        self._db.execute("delete from deadlines where is_open = 0 and due < ?", (before,))
        # What servers printed while they were imported belongs to no run.
        self._db.execute("delete from logs where run_id = '' and at < ?", (before,))
        self._db.execute(
            "delete from declarations where version not in"
            " (select value from head, json_each(head.servers))"
        )
        return deleted

    def _delete_unused_plans(self) -> None:
        self._db.execute(
            "delete from plans where not exists (select 1 from runs where plan_id = plans.id)"
        )

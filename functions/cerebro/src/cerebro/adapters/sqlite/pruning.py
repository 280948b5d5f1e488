"""Pruning: delete what belongs to runs that ended long ago, in small steps, and return the space.

Invariant: a run is pruned by the time of its end, with everything that belongs to it: facts,
outputs, events, logs, its plan, results that only its outputs hold. An active run keeps the
runs whose results its plan reuses.
"""

from dataclasses import dataclass
from typing import Final

from cerebro.adapters.codecs import decode_plan
from cerebro.adapters.sqlite.database import SqliteFile

RUNS_PER_STEP_MAX: Final = 50
EVENTS_PER_STEP_MAX: Final = 2000
PAGES_PER_STEP_MAX: Final = 2000
"""A step holds the engine's lock for some ten milliseconds."""

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

    def prune_step(self, ended_before: float) -> PruneStep:
        """Delete up to RUNS_PER_STEP_MAX runs that ended before then (UTC seconds)."""
        with self._file.transaction():
            reused = self._reused_runs()
            rows = self._db.execute(
                "select id from runs where ended_at < ? order by ended_at limit ?",
                (ended_before, RUNS_PER_STEP_MAX + len(reused)),
            ).fetchall()
            run_ids = [run_id for (run_id,) in rows if run_id not in reused][:RUNS_PER_STEP_MAX]
            self._delete_runs(run_ids)
            is_done = len(run_ids) < RUNS_PER_STEP_MAX and not self._delete_other(ended_before)
        return PruneStep(len(run_ids), is_done)

    def prune_run(self, run_id: str) -> bool:
        """Delete one run that has ended or cannot be decoded. Returns whether there was one."""
        with self._file.transaction():
            existed = self._db.execute("select 1 from runs where id = ?", (run_id,)).fetchone()
            self._delete_runs([run_id])
            self._delete_unused_plans()
        return existed is not None

    def give_back_step(self) -> bool:
        """Return free pages to the file system. Returns whether more are free."""
        with self._file.reading():
            free = self._free_pages()
        if not free:
            return False
        # In a transaction, which waits for the lock of another program.
        with self._file.transaction():
            for _ in range(min(free, PAGES_PER_STEP_MAX)):
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
        """The runs whose results the plans of active runs reuse."""
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
            (before, EVENTS_PER_STEP_MAX),
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

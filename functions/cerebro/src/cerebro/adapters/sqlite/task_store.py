"""Task store: facts and outputs of task runs in SQLite.

Invariant: `live` of a row is 1 exactly while its fact has an open deadline, so that a run without
live tasks is found without reading the run. A cached fact is used only inside a transaction, and
only if no row has been written past this store since it was cached.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cerebro.adapters.codecs import DECODING_ERRORS, decode_task, encode_task
from cerebro.adapters.lru_cache import LruCache
from cerebro.adapters.sqlite.database import SqliteFile, damaged_row, decoding
from cerebro.core.model.plan import PAGE_SIZE
from cerebro.core.model.task_run import TaskRun

CACHED_FACTS_MAX: Final = 5_000
"""Facts of the tasks that were read or written last: each is read several times."""

_SELECT_PAGE: Final = """
select place, fact from tasks where run_id = ? and place >= ? and place < ? order by place desc
"""

_UPDATE_FACT: Final = """
update tasks set rev = ?, live = ?, fact = ? where run_id = ? and place = ? and rev = ?
"""


class SqliteTaskStore:
    """The part of the Store port about task runs. The caller serializes access."""

    def __init__(self, file: SqliteFile) -> None:
        self._file, self._db = file, file.db
        self._facts: LruCache[tuple[str, int], TaskRun] = LruCache(CACHED_FACTS_MAX)
        file.on_roll_back(self._forget_facts)
        file.on_other_write(self._forget_facts)

    def _forget_facts(self) -> None:
        self._facts = LruCache(CACHED_FACTS_MAX)

    def read_task(self, run_id: str, index: int, *, fresh: bool = False) -> TaskRun | None:
        if not self._db.in_transaction:
            return self._read_task(run_id, index)
        fact = self._facts.get((run_id, index))
        if fact is None and (fact := self._read_task(run_id, index)) is not None:
            self._facts.put((run_id, index), fact)
        return fact

    def _read_task(self, run_id: str, index: int) -> TaskRun | None:
        row = self._db.execute(
            "select fact from tasks where run_id = ? and place = ?", (run_id, index)
        ).fetchone()
        return self._decode(run_id, index, row[0]) if row else None

    def read_tasks(
        self, run_id: str, indexes: Sequence[int], *, fresh: bool = False
    ) -> dict[int, TaskRun]:
        facts = {index: self.read_task(run_id, index) for index in indexes}
        return {index: fact for index, fact in facts.items() if fact is not None}

    def read_page(self, run_id: str, page: int) -> dict[int, TaskRun]:
        rows = self._db.execute(_SELECT_PAGE, (run_id, page * PAGE_SIZE, (page + 1) * PAGE_SIZE))
        return {index: self._decode(run_id, index, fact) for index, fact in rows}

    def has_live_task(self, run_id: str) -> bool:
        """Return whether something is still expected of a task of the run.

        Costs the same in any run.
        """
        row = self._db.execute(
            "select 1 from tasks where run_id = ? and live = 1 limit 1", (run_id,)
        ).fetchone()
        return row is not None

    def _decode(self, run_id: str, index: int, text: str) -> TaskRun:
        # Not by `decoding`, which takes a third of the time of this: it is done for every fact.
        try:
            return decode_task(text)
        except DECODING_ERRORS as cause:
            key = f"({run_id}, {index})"
            raise damaged_row(self._file.path, "tasks", key, cause, run_id) from cause

    def write_task(
        self, run_id: str, index: int, new: TaskRun, seen: TaskRun | None
    ) -> TaskRun | None:
        fact, live = encode_task(new), int(new.is_live)
        if seen is None:
            cursor = self._db.execute(
                "insert or ignore into tasks values (?, ?, ?, ?, ?)",
                (run_id, index, new.rev, live, fact),
            )
        else:
            cursor = self._db.execute(_UPDATE_FACT, (new.rev, live, fact, run_id, index, seen.rev))
        if cursor.rowcount != 1:
            return self.read_task(run_id, index)
        self._facts.put((run_id, index), new)
        return None

    def read_outputs(self, run_id: str, refs: Mapping[int, str]) -> dict[int, Any]:
        outputs: dict[int, Any] = {}
        for index, ref in refs.items():
            row = self._db.execute(
                "select output from outputs where run_id = ? and place = ? and ref = ?",
                (run_id, index, ref),
            ).fetchone()
            if row is not None:
                with decoding(self._file.path, "outputs", f"({run_id}, {index}, {ref})", run_id):
                    outputs[index] = json.loads(row[0])
        return outputs

    def write_output(self, run_id: str, index: int, ref: str, output: Any) -> None:
        self._db.execute(
            "insert or ignore into outputs values (?, ?, ?, ?)",
            (run_id, index, ref, json.dumps(output)),
        )

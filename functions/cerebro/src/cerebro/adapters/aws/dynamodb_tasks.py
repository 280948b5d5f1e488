"""DynamoDB's task runs: facts, the outputs that are kept apart from them, and the rings that guard a page.

Law: one page of a run is one partition, and a fact is one item that is written only if it is still the one that was seen.
Only completed facts are remembered: they stay completed, with the same output (a late fact may still join their timeline,
and whoever writes that from memory fails the condition, is answered with what is there, and decides again).
"""

import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from cerebro.adapters.aws.dynamodb_chunks import bytes_of
from cerebro.adapters.aws.dynamodb_table import Item, Key, Table
from cerebro.adapters.codecs import decode_task, encode_task
from cerebro.adapters.lru_cache import LruCache
from cerebro.core.model import TaskRun, page_of

FACTS: Final = "T#"
_COMPLETED_REMEMBERED: Final = 20_000
"""Completed facts: some 40 MB."""

_PAGES_REMEMBERED: Final = 10_000
_RINGS_REMEMBERED: Final = 4
"""Rings remembered of a page: with the newest ones nearly every question is answered."""


class TaskItems:
    """The part of the Store port that is about task runs. `expires_at` tells when what belongs to a run expires."""

    def __init__(self, table: Table, expires_at: Callable[[str], int]) -> None:
        self._table, self._expires_at = table, expires_at
        self._completed: LruCache[Key, TaskRun] = LruCache(_COMPLETED_REMEMBERED)
        self._rings: LruCache[Key, tuple[float, ...]] = LruCache(_PAGES_REMEMBERED)

    def read_task(self, run_id: str, index: int) -> TaskRun | None:
        key = _fact(run_id, index)
        fact = self._completed.get(key)
        if fact is None and (item := self._table.get(key)):
            fact = self._seen(key, _task(item))
        return fact

    def read_tasks(self, run_id: str, indexes: Sequence[int]) -> dict[int, TaskRun]:
        known = {index: self._completed.get(_fact(run_id, index)) for index in indexes}
        items = self._table.get_many(
            _fact(run_id, index) for index, fact in known.items() if fact is None
        )
        read = {_index(item): self._seen(key, _task(item)) for key, item in items.items()}
        return {index: fact for index, fact in known.items() if fact is not None} | read

    def read_page(self, run_id: str, page: int) -> dict[int, TaskRun]:
        items = self._table.query(_page(run_id, page), FACTS, backwards=True)
        return {
            (index := _index(item)): self._seen(_fact(run_id, index), _task(item)) for item in items
        }

    def write_task(
        self, run_id: str, index: int, new: TaskRun, seen: TaskRun | None
    ) -> TaskRun | None:
        pk, sk = _fact(run_id, index)
        item: Item = {
            "pk": pk,
            "sk": sk,
            "fact": encode_task(new),
            "rev": new.rev,
            "expires_at": self._expires_at(run_id),
        }
        there = self._table.put_if_still(item, "rev", seen.rev if seen else None)
        if there is None:
            self._seen((pk, sk), new)
            return None
        return self._seen((pk, sk), _task(there))

    def _seen(self, key: Key, fact: TaskRun) -> TaskRun:
        return self._completed.put(key, fact) if fact.is_completed else fact

    def read_outputs(self, run_id: str, indexes: Sequence[int]) -> dict[int, Any]:
        items = self._table.get_many(_output(run_id, index) for index in indexes)
        return {
            _index(item): json.loads(zlib.decompress(bytes_of(item, "output")))
            for item in items.values()
        }

    def write_output(self, run_id: str, index: int, attempt: int, output: Any) -> None:
        pk, sk = _output(run_id, index)
        packed = zlib.compress(json.dumps(output, separators=(",", ":")).encode())
        item: Item = {
            "pk": pk,
            "sk": sk,
            "output": packed,
            "attempt": attempt,
            "expires_at": self._expires_at(run_id),
        }
        self._table.put(item, "attribute_not_exists(#pk) or #attempt <= :attempt", attempt=attempt)

    def has_page_timer(self, run_id: str, page: int, after: float, until: float) -> bool:
        key = _guard(run_id, page)
        if not _any_due(self._rings.get(key) or (), after, until):
            item = self._table.get(key)
            self._remember(key, [float(item["due"])] if item else [])
        return _any_due(self._rings.get(key) or (), after, until)

    def write_page_timer(self, run_id: str, page: int, due: float, after: float) -> None:
        key = _guard(run_id, page)
        there = self._table.update(
            key,
            "set #due = :due, #expires_at = :expires_at",
            "attribute_not_exists(#due) or #due <= :after or #due > :due",
            due=due,
            after=after,
            expires_at=self._expires_at(run_id),
        )
        # Ours was sent, and so was the one that is noted: a ring is sent before it is noted.
        self._remember(key, [due, *([float(there["due"])] if there else [])])

    def _remember(self, key: Key, rings: Iterable[float]) -> None:
        known = sorted({*rings, *(self._rings.get(key) or ())})
        self._rings.put(key, tuple(known[-_RINGS_REMEMBERED:]))


def _any_due(rings: Iterable[float], after: float, until: float) -> bool:
    return any(after < due <= until for due in rings)


def _page(run_id: str, page: int) -> str:
    return f"RUN#{run_id}#{page}"


def _fact(run_id: str, index: int) -> Key:
    # As wide as the largest graph needs, so that the sort key runs with the index.
    return _page(run_id, page_of(index)), f"{FACTS}{index:06}"


def _output(run_id: str, index: int) -> Key:
    return _page(run_id, page_of(index)), f"O#{index:06}"


def _guard(run_id: str, page: int) -> Key:
    return _page(run_id, page), "GUARD"


def _index(item: Item) -> int:
    return int(str(item["sk"])[2:])


def _task(item: Item) -> TaskRun:
    return decode_task(str(item["fact"]))

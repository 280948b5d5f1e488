"""Task runs in DynamoDB: facts, outputs that are stored apart, and the timer of each page.

Invariant: one page of a run is one partition; a fact is one item, written only if it is still the
one that was read. Only completed facts are cached: they stay completed, with the same output, but
for a rerun, and a reader that must see one asks for fresh facts. (A late fact may still be added to
their timeline; a writer that has the older one from the cache fails the condition, gets the stored
one, and decides again.)
"""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from cerebro.adapters.aws.dynamodb_chunks import bytes_of
from cerebro.adapters.aws.dynamodb_table import Item, Key, Table
from cerebro.adapters.codecs import decode_task, encode_task
from cerebro.adapters.decoded_types import require_types
from cerebro.adapters.lru_cache import LruCache
from cerebro.core.model.plan import page_of
from cerebro.core.model.task_run import TaskRun

FACTS: Final = "T#"
_CACHED_FACTS_MAX: Final = 20_000
"""Completed facts: about 40 MB."""

_CACHED_PAGES_MAX: Final = 10_000
_CACHED_TIMERS_PER_PAGE: Final = 4
"""Timers of a page that are cached; the newest ones answer nearly every query."""


class TaskItems:
    """The task-run part of the Store port.

    `expires_at` gives the moment at which everything of a run expires.
    """

    def __init__(self, table: Table, expires_at: Callable[[str], int]) -> None:
        self._table, self._expires_at = table, expires_at
        self._completed: LruCache[Key, TaskRun] = LruCache(_CACHED_FACTS_MAX)
        self._timers: LruCache[Key, tuple[float, ...]] = LruCache(_CACHED_PAGES_MAX)

    def read_task(self, run_id: str, index: int, *, fresh: bool = False) -> TaskRun | None:
        key = _fact(run_id, index)
        fact = None if fresh else self._completed.get(key)
        if fact is None and (item := self._table.get(key)):
            fact = self._cache(key, self._fact(item))
        return fact

    def read_recent_task(self, run_id: str, index: int) -> TaskRun | None:
        item = self._table.get_recent(_fact(run_id, index))
        return self._fact(item) if item else None

    def read_tasks(
        self, run_id: str, indexes: Sequence[int], *, fresh: bool = False
    ) -> dict[int, TaskRun]:
        cached = {
            index: None if fresh else self._completed.get(_fact(run_id, index)) for index in indexes
        }
        items = self._table.get_many(
            _fact(run_id, index) for index, fact in cached.items() if fact is None
        )
        read = {_index(item): self._cache(key, self._fact(item)) for key, item in items.items()}
        return {index: fact for index, fact in cached.items() if fact is not None} | read

    def read_page(self, run_id: str, page: int) -> dict[int, TaskRun]:
        items = self._table.query(_page(run_id, page), FACTS, backwards=True)
        return {
            (index := _index(item)): self._cache(_fact(run_id, index), self._fact(item))
            for item in items
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
        conflicting = self._table.put_if_still(item, "rev", seen.rev if seen else None)
        if conflicting is None:
            self._cache((pk, sk), new)
            return None
        return self._cache((pk, sk), self._fact(conflicting))

    def _fact(self, item: Item) -> TaskRun:
        return self._table.decoded(item, _task)

    def _cache(self, key: Key, fact: TaskRun) -> TaskRun:
        return self._completed.put(key, fact) if fact.is_completed else fact

    def read_outputs(self, run_id: str, refs: Mapping[int, str]) -> dict[int, Any]:
        keys = [_output(run_id, index, ref) for index, ref in refs.items()]
        # The name is a hash of the content, so an output that is found is never an older one.
        items = self._table.get_many(keys, is_consistent=False)
        if missing := [key for key in keys if key not in items]:
            items |= self._table.get_many(missing)
        return {_index(item): self._table.decoded(item, _stored_output) for item in items.values()}

    def write_output(self, run_id: str, index: int, ref: str, output: Any) -> None:
        pk, sk = _output(run_id, index, ref)
        compressed = zlib.compress(json.dumps(output, separators=(",", ":")).encode())
        item: Item = {
            "pk": pk,
            "sk": sk,
            "output": compressed,
            "expires_at": self._expires_at(run_id),
        }
        # Without a condition: the name is a hash of the content.
        self._table.put(item)

    def has_page_timer(self, run_id: str, page: int, after: float, until: float) -> bool:
        key = _page_timer(run_id, page)
        if not _any_due(self._timers.get(key) or (), after, until):
            # A timer that is not seen yet costs another one, and is not missed.
            item = self._table.get_recent(key)
            self._cache_timers(key, [self._table.decoded(item, _due)] if item else [])
        return _any_due(self._timers.get(key) or (), after, until)

    def write_page_timer(self, run_id: str, page: int, due: float, after: float) -> None:
        key = _page_timer(run_id, page)
        stored = self._table.update(
            key,
            "set #due = :due, #expires_at = :expires_at",
            "attribute_not_exists(#due) or #due <= :after or #due > :due",
            due=due,
            after=after,
            expires_at=self._expires_at(run_id),
        )
        # Both were sent: a timer is sent before it is written here.
        known = [self._table.decoded(stored, _due)] if stored else []
        self._cache_timers(key, [due, *known])

    def _cache_timers(self, key: Key, due_times: Iterable[float]) -> None:
        newest = sorted({*due_times, *(self._timers.get(key) or ())})
        self._timers.put(key, tuple(newest[-_CACHED_TIMERS_PER_PAGE:]))


def _any_due(due_times: Iterable[float], after: float, until: float) -> bool:
    return any(after < due <= until for due in due_times)


def _page(run_id: str, page: int) -> str:
    return f"RUN#{run_id}#{page}"


def _fact(run_id: str, index: int) -> Key:
    # As many digits as the largest graph needs, so that sort keys are in the order of indexes.
    return _page(run_id, page_of(index)), f"{FACTS}{index:06}"


def _output(run_id: str, index: int, ref: str) -> Key:
    return _page(run_id, page_of(index)), f"O#{index:06}#{ref}"


def _page_timer(run_id: str, page: int) -> Key:
    return _page(run_id, page), "GUARD"


def _index(item: Item) -> int:
    return int(str(item["sk"]).split("#")[1])


def _task(item: Item) -> TaskRun:
    return require_types(decode_task(str(item["fact"])))


def _stored_output(item: Item) -> Any:
    return json.loads(zlib.decompress(bytes_of(item, "output")))


def _due(item: Item) -> float:
    return float(item["due"])

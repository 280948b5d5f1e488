"""LRU cache: immutable values that a process keeps in memory instead of reading them again.

Invariant: the total weight stays at or below the limit; the least recently used value goes first.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Values by key, of a total weight of at most `limit`; the newest stays in any case."""

    def __init__(self, limit: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        self._limit, self._weigh = limit, weigh
        self._values: OrderedDict[K, V] = OrderedDict()
        self._weight = 0

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> V:
        replaced = self._values.pop(key, None)
        self._values[key] = value
        self._weight += self._weigh(value) - (0 if replaced is None else self._weigh(replaced))
        while self._weight > self._limit and len(self._values) > 1:
            self._weight -= self._weigh(self._values.popitem(last=False)[1])
        return value

"""LruCache: never more than the limit; the least recently used entry is evicted first."""

from cerebro.adapters.lru_cache import LruCache


def test_least_recently_used_is_evicted() -> None:
    cache: LruCache[str, int] = LruCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    assert cache.put("c", 3) == 3
    assert [cache.get(key) for key in "abc"] == [1, None, 3]


def test_put_replaces_the_value() -> None:
    cache: LruCache[str, int] = LruCache(2)
    for value in range(5):
        cache.put("a", value)
    cache.put("b", 9)
    assert [cache.get(key) for key in "ab"] == [4, 9]


def test_newest_stays_whatever_its_weight() -> None:
    cache: LruCache[str, str] = LruCache(10, len)
    cache.put("a", "12345")
    cache.put("b", "12345")
    assert cache.get("a") == "12345"
    cache.put("c", "1")
    assert [cache.get(key) for key in "abc"] == ["12345", None, "1"]
    cache.put("d", "1" * 50)
    assert [cache.get(key) for key in "abcd"] == [None, None, None, "1" * 50]

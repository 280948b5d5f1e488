"""Remembered: never more than the limit, and what was used longest ago goes first."""

from cerebro.adapters.lru_cache import LruCache


def test_what_was_used_longest_ago_is_forgotten() -> None:
    remembered: LruCache[str, int] = LruCache(2)
    remembered.put("a", 1)
    remembered.put("b", 2)
    assert remembered.get("a") == 1
    assert remembered.put("c", 3) == 3
    assert [remembered.get(key) for key in "abc"] == [1, None, 3]


def test_a_value_that_is_put_again_is_the_new_one() -> None:
    remembered: LruCache[str, int] = LruCache(2)
    for value in range(5):
        remembered.put("a", value)
    remembered.put("b", 9)
    assert [remembered.get(key) for key in "ab"] == [4, 9]


def test_weight_counts_and_the_newest_stays_whatever_it_weighs() -> None:
    remembered: LruCache[str, str] = LruCache(10, len)
    remembered.put("a", "12345")
    remembered.put("b", "12345")
    assert remembered.get("a") == "12345"
    remembered.put("c", "1")
    assert [remembered.get(key) for key in "abc"] == ["12345", None, "1"]
    remembered.put("d", "1" * 50)
    assert [remembered.get(key) for key in "abcd"] == [None, None, None, "1" * 50]

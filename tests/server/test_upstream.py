"""Upstream outputs: the mapping never looks complete when an output is missing."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.server.context import MissingUpstream, UpstreamOutputs

SENT = {"a": 1, "b": None}

NEEDS_ALL: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "len": len,
    "iter": list,
    "keys": lambda outputs: list(outputs.keys()),
    "values": lambda outputs: list(outputs.values()),
    "items": lambda outputs: list(outputs.items()),
    "dict": dict,
    "unpacking": lambda outputs: {**outputs},
    "equality": lambda outputs: outputs == SENT,
    "bool": bool,
    "sorted": sorted,
}


def outputs_without(name: str) -> UpstreamOutputs:
    """The outputs of a task with upstreams a, b and `name`, whose own was omitted."""
    return UpstreamOutputs("total", SENT, [name], ["a", "b", name])


@pytest.mark.parametrize("use", NEEDS_ALL.values(), ids=NEEDS_ALL)
def test_upstream_incomplete_refuses_what_needs_all(
    use: Callable[[Mapping[str, Any]], object],
) -> None:
    with pytest.raises(MissingUpstream, match=r'lacks the output of "c": .*let it return a ref'):
        use(outputs_without("c"))


@pytest.mark.parametrize("use", NEEDS_ALL.values(), ids=NEEDS_ALL)
def test_upstream_complete_allows_what_needs_all(
    use: Callable[[Mapping[str, Any]], object],
) -> None:
    assert use(UpstreamOutputs("total", SENT, [], ["a", "b"])) == use(SENT)


def test_upstream_incomplete_gives_what_was_sent() -> None:
    outputs = outputs_without("c")

    assert (outputs["a"], outputs.get("b", 0), "a" in outputs) == (1, None, True)
    assert repr(outputs) == "UpstreamOutputs({'a': 1, 'b': None}, omitted=['c'])"


def test_upstream_get_of_omitted_raises() -> None:
    with pytest.raises(MissingUpstream, match='the output of "c" was too large'):
        outputs_without("c").get("c", "default")
    with pytest.raises(MissingUpstream, match='the output of "c" was too large'):
        _ = "c" in outputs_without("c")


def test_upstream_get_of_other_name_is_the_default() -> None:
    outputs = outputs_without("c")

    assert (outputs.get("d", "default"), outputs.get("d"), "d" in outputs) == (
        "default",
        None,
        False,
    )
    assert not outputs.__contains__(7)


def test_upstream_many_missing_names_a_few() -> None:
    omitted = [f"part-{number}" for number in range(38)]
    outputs = UpstreamOutputs("total", {}, omitted, omitted)

    with pytest.raises(MissingUpstream, match='"part-4" and 33 more: the output of "part-0"'):
        sum(outputs.values())


NAMES = st.sampled_from(["a", "b", "c", "d"])


@given(st.sets(NAMES), st.sets(NAMES))
def test_upstream_any_subset_is_complete_or_refuses(declared: set[str], sent: set[str]) -> None:
    outputs = UpstreamOutputs(
        "total",
        dict.fromkeys(sorted(declared & sent), 1),
        sorted(declared - sent),
        sorted(declared),
    )
    if declared <= sent:
        assert sum(outputs.values()) == len(outputs) == len(declared)
    else:
        with pytest.raises(MissingUpstream):
            sum(outputs.values())
    for name in declared - sent:
        with pytest.raises(MissingUpstream):
            outputs.get(name)

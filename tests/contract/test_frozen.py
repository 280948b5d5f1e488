"""Frozen dataclasses behave as those of `dataclasses`, except that nothing looks at run time."""

import dataclasses
import pickle
from copy import copy, deepcopy

import pytest
from mypy import api

from cordyna_core.contract.frozen import fast_dataclass


@fast_dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    x: int
    y: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    x: int
    y: int = 0


@fast_dataclass(slots=True)
class Counter:
    count: int = 0


def test_frozen_equal_instances_have_one_hash() -> None:
    assert Point(x=1, y=2) == Point(x=1, y=2)
    assert Point(x=1, y=2) != Point(x=1, y=3)
    assert len({Point(x=1), Point(x=1, y=0), Point(x=2)}) == 2


def test_frozen_hash_is_that_of_dataclasses() -> None:
    assert hash(Point(x=1, y=2)) == hash(Standard(x=1, y=2))


def test_frozen_is_copied_and_pickled() -> None:
    point = Point(x=1, y=2)
    for made in (copy(point), deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert made == point
    assert dataclasses.replace(point, y=3) == Point(x=1, y=3)
    assert dataclasses.astuple(point) == (1, 2)


def test_frozen_prints_its_fields() -> None:
    assert repr(Point(x=1)) == "Point(x=1, y=0)"


def test_frozen_has_slots() -> None:
    assert not hasattr(Point(x=1), "__dict__")


def test_dataclass_not_frozen_has_no_hash() -> None:
    counter = Counter()
    counter.count = 1
    assert counter == Counter(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_frozen_field_set_is_refused_by_mypy() -> None:
    text = (
        "from cordyna_core.contract.frozen import fast_dataclass\n"
        "@fast_dataclass(frozen=True, slots=True)\n"
        "class Point:\n"
        "    x: int\n"
        "Point(1).x = 2\n"
    )
    report, errors, status = api.run(
        ["--strict", "--config-file=", "--cache-dir=/dev/null", "-c", text]
    )
    assert status == 1, errors
    assert 'Property "x" defined in "Point" is read-only' in report

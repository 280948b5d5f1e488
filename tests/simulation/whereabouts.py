"""Whereabouts: where a program is and everything that it holds, as a value that can be compared.

Two programs with the same whereabouts do the same from here on, whatever answers led there, so
that only one of them needs to be followed. They are read from the coroutines' frames and from
what the garbage collector knows that they refer to; that includes what the interpreter keeps
for itself, such as the position of an iterator.
"""

import gc
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final

from pydantic import BaseModel

from cerebro.core.effects import Program
from cerebro.core.graph.graph import Graph
from cerebro.core.model import Plan
from cordyna_core.contract.envelope import Envelope


def whereabouts(program: Program, effect: Any) -> int:
    """A hash of where `program` is, with `effect` as its next effect.

    Raises TypeError for an object of a type that has no row in the table of this module.
    """
    return hash((_comparable(program), _comparable(effect)))


def _comparable(thing: Any) -> Any:
    for kinds, as_value in _COMPARABLE:
        if isinstance(thing, kinds):
            return as_value(thing)
    if is_dataclass(thing):
        return type(thing), _all_comparable(getattr(thing, field.name) for field in fields(thing))
    raise TypeError(f"cannot compare objects of {type(thing)}: add a row to _COMPARABLE")


def _all_comparable(things: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(_comparable(thing) for thing in things)


def _referents(thing: Any) -> Any:
    return _all_comparable(gc.get_referents(thing))


def _coroutine(program: Any) -> Any:
    frame = program.cr_frame
    return frame and (
        id(program.cr_code),
        frame.f_lasti,
        _comparable(frame.f_locals),
        _referents(program),
    )


_COMPARABLE: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    ((types.NoneType, str, int, float, range), lambda thing: thing),
    # Of these there is one object each, as long as an exploration lasts: its identity is its value.
    ((Graph, Envelope, type, types.CodeType, types.ModuleType, types.MethodDescriptorType), id),
    (Plan, lambda plan: plan.id),
    (
        types.FunctionType,
        lambda function: (id(function.__code__), _comparable(function.__closure__)),
    ),
    (
        (types.MethodType, types.BuiltinMethodType),
        lambda method: (method.__name__, _comparable(method.__self__)),
    ),
    (types.CoroutineType, _coroutine),
    # What `Effect.__await__` returns: it holds the effect that was asked for.
    (
        types.GeneratorType,
        lambda awaited: awaited.gi_frame and _comparable(awaited.gi_frame.f_locals),
    ),
    # A frame belongs to a coroutine, which is compared itself.
    (types.FrameType, lambda _: None),
    (types.CellType, _referents),
    (dict, lambda items: _all_comparable(items.items())),
    ((list, tuple, deque), _all_comparable),
    ((set, frozenset), lambda items: frozenset(_all_comparable(items))),
    (BaseModel, lambda message: message.model_dump_json()),
    (Iterator, lambda rest: (type(rest), _all_comparable(rest.__reduce__()[1:]))),
)

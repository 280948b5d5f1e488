"""Whereabouts: where a program stands and all that it holds, as a value that can be compared.

Two programs of which this is the same will do the same from here on, whatever each has been told before: so they need to be
followed only once. It is read from the coroutines' frames, by the garbage collector's knowledge of what they refer to: that
includes what the interpreter keeps for itself, such as how far a loop has come.
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


def whereabouts(program: Program, asks: Any) -> int:
    """A hash of where `program` stands, having asked for `asks`. Raises TypeError for what it does not know how to compare."""
    return hash((_held(program), _held(asks)))


def _held(thing: Any) -> Any:
    for kinds, told in _TOLD:
        if isinstance(thing, kinds):
            return told(thing)
    if is_dataclass(thing):
        return type(thing), _all_held(getattr(thing, field.name) for field in fields(thing))
    raise TypeError(f"how to compare {type(thing)} is not known: tell it in _TOLD")


def _all_held(things: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(_held(thing) for thing in things)


def _what_it_refers_to(thing: Any) -> Any:
    return _all_held(gc.get_referents(thing))


def _coroutine(program: Any) -> Any:
    frame = program.cr_frame
    return frame and (
        id(program.cr_code),
        frame.f_lasti,
        _held(frame.f_locals),
        _what_it_refers_to(program),
    )


_TOLD: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    ((types.NoneType, str, int, float, range), lambda thing: thing),
    # Of these there is one each, as long as an exploration lasts: who it is says what it is.
    ((Graph, Envelope, type, types.CodeType, types.ModuleType, types.MethodDescriptorType), id),
    (Plan, lambda plan: plan.id),
    (types.FunctionType, lambda function: (id(function.__code__), _held(function.__closure__))),
    (
        (types.MethodType, types.BuiltinMethodType),
        lambda method: (method.__name__, _held(method.__self__)),
    ),
    (types.CoroutineType, _coroutine),
    # What `Effect.__await__` returns: it holds the effect that was asked for.
    (types.GeneratorType, lambda awaited: awaited.gi_frame and _held(awaited.gi_frame.f_locals)),
    # It belongs to a generator, which tells what is in it.
    (types.FrameType, lambda _: None),
    (types.CellType, _what_it_refers_to),
    (dict, lambda known: _all_held(known.items())),
    ((list, tuple, deque), _all_held),
    ((set, frozenset), lambda some: frozenset(_all_held(some))),
    (BaseModel, lambda message: message.model_dump_json()),
    (Iterator, lambda rest: (type(rest), _all_held(rest.__reduce__()[1:]))),
)

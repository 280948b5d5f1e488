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
from cerebro.core.model.plan import Plan
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cordyna_core.contract.envelope import Envelope

Compare = Callable[[Any], Any]


class Whereabouts:
    """The whereabouts of the programs of one exploration."""

    def __init__(self) -> None:
        self._as_value: dict[type, Callable[[Any, Compare], Any]] = {}
        self._known: dict[int, tuple[Any, int]] = {}
        """The hash of what many programs hold, by identity; the object is kept, and so its id."""

    def of(self, program: Program, effect: Any) -> int:
        """A hash of where `program` is, with `effect` as its next effect.

        Raises TypeError for an object of a type that has no row in the table of this module.
        """
        return hash((self._comparable(program), self._comparable(effect)))

    def _comparable(self, thing: Any) -> Any:
        kind = type(thing)
        if kind in _PLAIN:
            return thing
        if kind in _SHARED:
            known = self._known.get(id(thing))
            if known is None:
                value = hash(_row_of(thing)(thing, self._comparable))
                known = self._known[id(thing)] = thing, value
            return known[1]
        as_value = self._as_value.get(kind)
        if as_value is None:
            as_value = self._as_value[kind] = _row_of(thing)
        return as_value(thing, self._comparable)


def _row_of(thing: Any) -> Callable[[Any, Compare], Any]:
    for kinds, as_value in _COMPARABLE:
        if isinstance(thing, kinds):
            return as_value
    if is_dataclass(thing):
        names = [field.name for field in fields(thing)]
        return lambda one, compare: (
            type(one),
            tuple([compare(getattr(one, name)) for name in names]),
        )
    raise TypeError(f"cannot compare objects of {type(thing)}: add a row to _COMPARABLE")


def _all_comparable(things: Iterable[Any], compare: Compare) -> tuple[Any, ...]:
    return tuple([compare(thing) for thing in things])


def _referents(thing: Any, compare: Compare) -> Any:
    return _all_comparable(gc.get_referents(thing), compare)


def _coroutine(program: Any, compare: Compare) -> Any:
    frame = program.cr_frame
    return frame and (
        id(program.cr_code),
        frame.f_lasti,
        compare(frame.f_locals),
        _referents(program, compare),
    )


_PLAIN: Final = frozenset({type(None), str, int, float, bool, range})
_SHARED: Final = frozenset({TaskRun, Run, RunSnapshot})
"""Immutable, and held by many programs: compared once."""

_COMPARABLE: Final[tuple[tuple[Any, Callable[[Any, Compare], Any]], ...]] = (
    ((str, int, float), lambda thing, _: thing),  # an enumeration is one of them
    # Of these there is one object each, as long as an exploration lasts: its identity is its value.
    (
        (Graph, Envelope, type, types.CodeType, types.ModuleType, types.MethodDescriptorType),
        lambda thing, _: id(thing),
    ),
    (Plan, lambda plan, _: plan.id),
    (
        types.FunctionType,
        lambda function, compare: (id(function.__code__), compare(function.__closure__)),
    ),
    (
        (types.MethodType, types.BuiltinMethodType),
        lambda method, compare: (method.__name__, compare(method.__self__)),
    ),
    (types.CoroutineType, _coroutine),
    # What `Effect.__await__` returns: it holds the effect that was asked for.
    (
        types.GeneratorType,
        lambda awaited, compare: awaited.gi_frame and compare(awaited.gi_frame.f_locals),
    ),
    # A frame belongs to a coroutine, which is compared itself.
    (types.FrameType, lambda *_: None),
    (types.CellType, _referents),
    (dict, lambda items, compare: _all_comparable(items.items(), compare)),
    ((list, tuple, deque), _all_comparable),
    ((set, frozenset), lambda items, compare: frozenset(_all_comparable(items, compare))),
    (BaseModel, lambda message, _: message.model_dump_json()),
    (
        Iterator,
        lambda rest, compare: (type(rest), _all_comparable(rest.__reduce__()[1:], compare)),
    ),
)

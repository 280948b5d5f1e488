"""Annotations: what the annotations of a task's function mean, also those written as text.

Invariant: a name in an annotation is looked up where the function was written.
"""

import inspect
import typing
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any


def evaluated(function: Callable[..., Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """Return annotations of a function as types, with what `Annotated` adds to them.

    Raises what evaluating them raises: they are code of the user's.
    """
    return typing.get_type_hints(
        SimpleNamespace(__annotations__=dict(written)), _module_of(function), include_extras=True
    )


def _module_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the names of the module in which a function, partial or callable object is written."""
    while hasattr(function, "func"):  # a partial
        function = function.func
    function = inspect.unwrap(function)
    called = function if hasattr(function, "__globals__") else type(function).__call__
    names: dict[str, Any] = getattr(inspect.unwrap(called), "__globals__", {})
    return names

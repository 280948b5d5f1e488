"""Redaction: events without the secrets that they carry as plain values.

Of an invocation, the schemas of the tasks say which values are secrets. Of an event that cannot be
read, or that names what is not declared, only the names of its fields can tell; it is refused in
any case, so more may be replaced than is secret.

Invariant: what is kept of an event has no plain value where a declared task takes a secret. The
redacted event is refused as the plain one would be, because no reference replaces a value.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from cerebro.core.graph.graph import Graph
from cerebro.core.planning.params import params_named_by
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.secret_params import REDACTED, is_reference, redacted


def may_have_params(event: str) -> bool:
    """Return whether the text of an event may carry params. Ask it first: it costs nothing."""
    return "params" in event


def redacted_event(event: str, graph: Graph) -> str:
    """Return an event without plain secrets, fit to be handled later; any other one unchanged."""
    return _redacted(event, graph, is_refused_now=False)


def kept_event(event: str, graph: Graph) -> str:
    """Return what is kept of an event that is handled with this very graph.

    Also what it names that is not declared is replaced: an unknown task or parameter may be a
    misspelt one.
    """
    return _redacted(event, graph, is_refused_now=True)


def _redacted(event: str, graph: Graph, *, is_refused_now: bool) -> str:
    if not graph.secret_names:
        return event
    try:
        command = open_envelope(event).message
    except MalformedEvent:
        return _without_named(event, graph.secret_names)
    if not isinstance(command, InvokeTask) or not command.params:
        return event
    if command.task not in graph:
        return _without_named(event, graph.secret_names) if is_refused_now else event
    params = _without_secrets(graph, command.task, command.params)
    if is_refused_now and _closure_takes_secrets(graph, command.task):
        params = _without_unknown(graph, command.task, params)
    if params == command.params:
        return event
    envelope = from_json(event, cache_strings="keys")
    envelope["detail"]["params"] = params
    return json.dumps(envelope, ensure_ascii=False)


def _without_secrets(graph: Graph, task: str, params: Mapping[str, Any]) -> dict[str, Any]:
    changed = dict(params)
    for name in graph.closure(task).names:
        if graph.takes_secrets(name):
            changed = redacted(changed, graph[name].task.params_schema or {})
    return changed


def _closure_takes_secrets(graph: Graph, task: str) -> bool:
    return any(map(graph.takes_secrets, graph.closure(task).names))


def _without_unknown(graph: Graph, task: str, params: Mapping[str, Any]) -> dict[str, Any]:
    known = {
        param
        for name in graph.closure(task).names
        for param in params_named_by(graph[name].task.params_schema)
    }
    return {
        name: REDACTED if name not in known and _may_be_secret(value) else value
        for name, value in params.items()
    }


def _may_be_secret(value: Any) -> bool:
    """Return whether a value of which nothing is declared may hold a secret."""
    return isinstance(value, str | dict | list) and not is_reference(value)


def _without_named(event: str, names: frozenset[str]) -> str:
    """Return the text of an event without what is below these names, however it is written."""
    folded = frozenset(map(_folded, names))
    try:
        # Not the json module: it raises RecursionError for a text that is nested too deeply.
        value = from_json(event, cache_strings="keys")
    except ValueError:
        return _cut(event, folded)
    changed = _changed(value, folded)
    return event if changed == value else json.dumps(changed, ensure_ascii=False)


def _folded(name: str) -> str:
    return name.strip().casefold()


def _changed(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _of_field(key, item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed(item, names) for item in value]
    return _cut(value, names) if isinstance(value, str) else value


def _of_field(key: str, value: Any, names: frozenset[str]) -> Any:
    if _folded(key) in names:
        return value if value is None or is_reference(value) else REDACTED
    if key == "params" and not isinstance(value, dict) and _may_be_secret(value):
        return REDACTED
    return _changed(value, names)


def _cut(text: str, names: frozenset[str]) -> str:
    """Return a text up to the first of these names: in a JSON that is broken, or within a text."""
    folded = text.casefold()
    begins = [at for name in names if name and (at := folded.find(f'"{name}')) >= 0]
    # A character may have more than one when its case is folded; then everything goes.
    is_same_length = len(folded) == len(text)
    return text[: min(begins) if is_same_length else 0] + REDACTED if begins else text

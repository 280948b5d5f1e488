"""Redaction: events of invocations without the secrets that they carry as plain values.

Invariant: what is kept of an event has no plain value where a declared task takes a secret. The
redacted event is refused as the plain one would be, because what replaces a value is no reference.
"""

import json
from typing import Any

from pydantic_core import from_json

from cerebro.core.graph.graph import Graph
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.secret_params import redacted

_MARK = f'"{InvokeTask.__name__}"'


def is_invocation(event: str) -> bool:
    """Return whether the text of an event may be an invocation with params."""
    return _MARK in event and '"params"' in event


def redacted_event(event: str, graph: Graph) -> str:
    """Return an event without plain secrets; any other event, and what is no event, unchanged."""
    if not is_invocation(event):
        return event
    try:
        # Not the json module: it raises RecursionError for a text that is nested too deeply.
        envelope = from_json(event)
    except ValueError:
        return event
    detail = envelope.get("detail") if isinstance(envelope, dict) else None
    if not isinstance(detail, dict) or not isinstance(detail.get("params"), dict):
        return event
    params = _without_secrets(graph, detail.get("task"), detail["params"])
    if params == detail["params"]:
        return event
    changed = {**envelope, "detail": {**detail, "params": params}}
    return json.dumps(changed, ensure_ascii=False)


def _without_secrets(graph: Graph, task: Any, params: dict[str, Any]) -> dict[str, Any]:
    if not params or not isinstance(task, str) or task not in graph:
        return params
    for name in graph.closure(task).names:
        if graph.takes_secrets(name):
            params = redacted(params, graph[name].task.params_schema or {})
    return params

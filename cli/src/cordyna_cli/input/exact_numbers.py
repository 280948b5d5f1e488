"""Exact numbers: what is typed for a decimal parameter is sent as it was typed.

Invariant: a decimal parameter gets the digits that were typed; as a JSON number they would be read
as a float, which keeps about 17 of them.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from cordyna_cli.engine import Engine
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.views.graph import TaskInfo


def with_exact_numbers(command: InvokeTask, pairs: Sequence[str], engine: Engine) -> InvokeTask:
    """Return the command, its decimal parameters as the texts of `pairs` (`-p name=value`)."""
    typed = dict(pair.split("=", 1) for pair in pairs)
    inexact = {
        name: typed[name]
        for name, value in command.params.items()
        # A boolean is an int, too; it is typed in one way only.
        if isinstance(value, int | float)
        and name in typed
        and json.dumps(value) != typed[name].strip()
    }
    # Only then: all tasks are many, and a canonical number is exact as it is.
    decimals = _decimal_params(engine.tasks()) if inexact else set()
    exact = {name: text for name, text in inexact.items() if name in decimals}
    return command.model_copy(update={"params": command.params | exact}) if exact else command


def _decimal_params(tasks: Iterable[TaskInfo]) -> set[str]:
    """Return the parameters that some task takes as a text of the format `decimal`."""
    return {
        name
        for task in tasks
        for name, schema in (task.params_schema or {}).get("properties", {}).items()
        if _accepts_decimal(schema)
    }


def _accepts_decimal(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    return schema.get("format") == "decimal" or any(
        map(_accepts_decimal, schema.get("anyOf") or ())
    )

"""Plan content: what of a planned task takes part in the id of its plan.

Invariant: an upgrade renames no plan. A field that was added after the first format takes part only
where it is not the default.
"""

from collections.abc import Mapping
from typing import Any, Final

FIRST_FIELDS: Final = (
    "name",
    "server",
    "upstream",
    "awaits",
    "params",
    "retries",
    "ack_timeout_s",
    "start_timeout_s",
    "run_timeout_s",
    "owner",
    "version",
    "kept",
    "reuses",
)
"""The fields of the first format: all of them take part, in this order."""


def content_of_task(task: object, added_fields: Mapping[str, Any]) -> list[Any]:
    """Return the values that take part. `added_fields`: the defaults of those added later."""
    values = [getattr(task, name) for name in FIRST_FIELDS]
    added = {
        name: value
        for name, default in added_fields.items()
        if (value := getattr(task, name)) != default
    }
    return [*values, added] if added else values

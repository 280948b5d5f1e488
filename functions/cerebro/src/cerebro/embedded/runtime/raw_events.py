"""Raw events: the bus gives an id and a time to an event that has none, as EventBridge does.

Invariant: what the sender wrote is kept. A malformed line is unchanged, or begins with an id and a
time; its reader rejects it. No line is taken for a message of cerebro to itself.
"""

import json
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from cerebro.adapters.internal_codec import may_be_internal
from cordyna_core.contract.lenient_json import read_leniently
from cordyna_core.contract.time import rfc3339


def with_default_id_and_time(line: str, event_id: str, now: datetime) -> str:
    """Return the event of this line, with an id and a time."""
    defaults = {"id": event_id, "time": rfc3339(now)}
    try:
        # Not the json module: it raises RecursionError for a line that is nested too deeply.
        event = from_json(line, cache_strings="keys")
    except ValueError:
        return _of_malformed(line, defaults)
    if not isinstance(event, dict) or (
        "id" in event and "time" in event and not may_be_internal(line)
    ):
        return line
    return json.dumps({**defaults, **event}, ensure_ascii=False)


def _of_malformed(line: str, defaults: dict[str, Any]) -> str:
    """Return a line that is not strict JSON, with an id and a time if it is an object without."""
    try:
        event = read_leniently(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or ("id" in event and not may_be_internal(line)):
        return line
    # Of what it writes twice, a reader takes the last.
    return f"{json.dumps(defaults)[:-1]}, {line[line.index('{') + 1 :]}"

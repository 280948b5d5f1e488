"""Raw events: the bus gives an id and a time to an event that has none, as EventBridge does.

Invariant: what the sender wrote is kept. A malformed line is unchanged; its reader rejects it.
"""

import json
from datetime import datetime

from pydantic_core import from_json

from cordyna_core.contract.time import rfc3339


def with_default_id_and_time(line: str, event_id: str, now: datetime) -> str:
    """Return the event of this line, with an id and a time."""
    try:
        # Not the json module: it raises RecursionError for a line that is nested too deeply.
        event = from_json(line, cache_strings="keys")
    except ValueError:
        return line
    if not isinstance(event, dict) or {"id", "time"} <= event.keys():
        return line
    return json.dumps({"id": event_id, "time": rfc3339(now), **event}, ensure_ascii=False)

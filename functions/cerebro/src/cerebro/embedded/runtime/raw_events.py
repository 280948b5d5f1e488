"""Postmark: what a bus gives to an event that was put on it without: an id and a time, as EventBridge does.

Law: what the sender said is kept. What is no event at all passes as it is, and is refused by whoever reads it.
"""

import json
from datetime import datetime

from pydantic_core import from_json

from cordyna_core.contract.time import rfc3339


def with_default_id_and_time(line: str, event_id: str, now: datetime) -> str:
    """The event of this line with an id and a time."""
    try:
        # Not json: it gives up on a line that is nested too deeply with an error of its own.
        event = from_json(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or {"id", "time"} <= event.keys():
        return line
    return json.dumps({"id": event_id, "time": rfc3339(now), **event}, ensure_ascii=False)

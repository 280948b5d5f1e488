"""Internal codec: cerebro's messages to itself as text: page timers, fan-outs and cron ticks.

Invariant: these messages never pass the bus, so no other sender can forge one.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from cerebro.adapters.codecs import DECODING_ERRORS, FORMAT, check_format
from cerebro.adapters.decoded_types import require_types
from cerebro.core.incidents.notices import (
    CompletionNotice,
    DeadlineTimer,
    FailureNotice,
    IncidentTimer,
    ServerNotice,
)
from cerebro.core.internal_messages import FanOut, InternalMessage, OverdueCheck, PageTimer, Tick
from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import MalformedEvent

SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
"""EventBridge Scheduler replaces this by a tick's nominal time; some emulators do not."""


KINDS: Final[dict[type, str]] = {
    PageTimer: "ring",
    FanOut: "walk",
    OverdueCheck: "overdue",
    Tick: "tick",
    CompletionNotice: "completion",
    FailureNotice: "failure",
    ServerNotice: "server",
    IncidentTimer: "incident",
    DeadlineTimer: "deadline",
}
"""The kind of each message as it is stored. Fixed: those of an older version may be under way."""


def may_be_internal(text: str) -> bool:
    """Return whether a text begins like an internal message."""
    return text.startswith(_STARTS)


def encode_internal(message: InternalMessage) -> str:
    """Encode as `{"<kind>": {<fields>, "format": <number>}}`."""
    fields = {name: getattr(message, name) for name in message.__slots__}
    fields["format"] = FORMAT
    return _to_json({KINDS[type(message)]: fields})


_to_json: Final = json.JSONEncoder(separators=(",", ":")).encode


def decode_internal(body: str, sent_at: float | None = None) -> InternalMessage | None:
    """Decode an internal message; None if `body` is another kind of message.

    `sent_at` is when the queue received it (UTC seconds).

    Fields that this version does not know are ignored, and missing ones take their defaults.

    Raises:
        MalformedEvent: if it starts like an internal message and is not a valid one.
        OtherFormat: a newer version sent it; it is delivered again until that version receives it.
    """
    if may_be_internal(body):
        kind = body[2 : body.index('"', 2)]
        try:
            fields = json.loads(body)[kind]
            _refuse_newer(fields, kind)
            return require_types(_DECODE[kind](fields, sent_at))
        except DECODING_ERRORS as wrong:
            problem = Problem(code="malformed_event", message=f"not a valid {kind}: {wrong}")
            raise MalformedEvent([problem]) from wrong
    if body.startswith('{"') and '"detail-type"' not in body:
        _refuse_unknown_kind(body)
    return None


def _refuse_newer(fields: Any, kind: str) -> None:
    number = fields.get("format", FORMAT) if isinstance(fields, dict) else FORMAT
    if isinstance(number, int) and number > FORMAT:
        check_format(number, f"message ({kind})")


def _refuse_unknown_kind(body: str) -> None:
    """Raises OtherFormat if this is a message of a kind that only a newer version knows."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return
    if isinstance(content, dict) and len(content) == 1:
        ((kind, fields),) = content.items()
        _refuse_newer(fields, kind)


def _known(kind: type, fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in kind.__slots__ if name in fields}  # type: ignore[attr-defined]


def _tick(fields: dict[str, Any], sent_at: float | None) -> Tick:
    return Tick(fields["task"], _nominal(fields["nominal"], sent_at))


def _nominal(value: float | str, sent_at: float | None) -> float:
    if isinstance(value, int | float):
        return float(value)
    if value == SCHEDULED_TIME:
        if sent_at is None:
            raise ValueError("its nominal time was not filled in, and its send time is unknown")
        # A cron fires at most once a minute, on the minute.
        return sent_at - sent_at % 60
    return datetime.fromisoformat(value).timestamp()


_DECODE: Final[dict[str, Callable[[dict[str, Any], float | None], InternalMessage]]] = {
    "ring": lambda fields, _: PageTimer(**_known(PageTimer, fields)),
    "walk": lambda fields, _: FanOut(**_known(FanOut, fields)),
    "overdue": lambda fields, _: OverdueCheck(**_known(OverdueCheck, fields)),
    "tick": _tick,
    "completion": lambda fields, _: CompletionNotice(**_known(CompletionNotice, fields)),
    "failure": lambda fields, _: FailureNotice(**_known(FailureNotice, fields)),
    "server": lambda fields, _: ServerNotice(**_known(ServerNotice, fields)),
    "incident": lambda fields, _: IncidentTimer(**_known(IncidentTimer, fields)),
    "deadline": lambda fields, _: DeadlineTimer(**_known(DeadlineTimer, fields)),
}
_STARTS: Final = tuple(f'{{"{kind}":' for kind in _DECODE)

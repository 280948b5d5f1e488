"""Incident codec: incidents and deadlines as JSON, for every store that holds text.

Invariant: decoding an encoded value gives an equal value. A field that this version does not know
is ignored, and a missing one takes its default.
"""

import json
from dataclasses import asdict, fields
from typing import Any, Final

from cerebro.adapters.codecs import FORMAT, check_format
from cerebro.core.incidents.deadline import Deadline
from cerebro.core.incidents.incident import Blocked, Failure, Incident
from cordyna_core.contract.base import ErrorDescription

_dumps: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_INCIDENT_FIELDS: Final = frozenset(field.name for field in fields(Incident))
_DEADLINE_FIELDS: Final = frozenset(field.name for field in fields(Deadline))
_BLOCKED_FIELDS: Final = len(fields(Blocked))
_FAILURE_FIELDS: Final = len(fields(Failure))


def encode_incident(incident: Incident) -> str:
    """Encode an incident as a JSON object."""
    error = incident.error
    values = {
        **{name: getattr(incident, name) for name in _INCIDENT_FIELDS},
        "error": error.model_dump(exclude_none=True) if error is not None else None,
        "blocked": [[b.task, b.server, b.owner, b.due] for b in incident.blocked],
        "failing": [[f.run_id, f.index, f.attempt] for f in incident.failing],
    }
    return _dumps({"format": FORMAT, **values})


def decode_incident(text: str) -> Incident:
    """Decode what `encode_incident` returned. Raises OtherFormat."""
    values: dict[str, Any] = json.loads(text)
    check_format(values.get("format"), "incident")
    known = {name: value for name, value in values.items() if name in _INCIDENT_FIELDS}
    error = known.get("error")
    return Incident(
        **{
            **known,
            "error": ErrorDescription.model_validate(error) if error is not None else None,
            "blocked": tuple(Blocked(*row[:_BLOCKED_FIELDS]) for row in known.get("blocked", ())),
            "failing": tuple(Failure(*row[:_FAILURE_FIELDS]) for row in known.get("failing", ())),
            "seen": tuple(known.get("seen", ())),
            "commands": tuple(known.get("commands", ())),
        }
    )


def encode_deadline(deadline: Deadline) -> str:
    """Encode a deadline as a JSON object."""
    return _dumps({"format": FORMAT, **asdict(deadline)})


def decode_deadline(text: str) -> Deadline:
    """Decode what `encode_deadline` returned. Raises OtherFormat."""
    values: dict[str, Any] = json.loads(text)
    check_format(values.get("format"), "deadline")
    return Deadline(**{name: value for name, value in values.items() if name in _DEADLINE_FIELDS})

"""The envelope: a message with its sender, as EventBridge carries it.

Invariant: opening what `seal` made gives the same message; what cannot be opened is refused with
every reason, and never guessed.
"""

import json
from datetime import datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cordyna_core.contract.base import Message, Problem
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.frozen import fast_dataclass
from cordyna_core.contract.limits import MAX_ID_CHARS
from cordyna_core.contract.registry import MESSAGES
from cordyna_core.contract.time import Instant, rfc3339

MAX_PROBLEMS: Final = 100
"""Listed of one event: more would be read by no one, and would not fit into an event."""

_MAX_PATH_CHARS: Final = 256
_EARLIEST: Final = "1970-01-01T00:00:00Z"
_MAX_TEXT_CHARS: Final = 400


class MalformedEvent(ValueError):
    """An event that is not of the contract.

    `problems`: one per error. `raw`: the envelope, if it could be read.
    """

    def __init__(self, problems: list[Problem], raw: "RawEnvelope | None" = None) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems
        self.raw = raw


class RawEnvelope(BaseModel):
    """An EventBridge event whose detail has not been read yet."""

    # Strings are ids and times that occur once: to cache them would fill pydantic's table of them.
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        defer_build=True,
        cache_strings="keys",
    )

    version: str = "0"
    id: str = Field(min_length=1, max_length=MAX_ID_CHARS)
    source: str = Field(max_length=MAX_ID_CHARS)
    detail_type: str = Field(alias="detail-type", max_length=MAX_ID_CHARS)
    account: str = ""
    time: Instant
    region: str = ""
    resources: list[str] = Field(default_factory=list)
    detail: dict[str, Any]


@fast_dataclass(frozen=True, slots=True)
class Envelope:
    """An opened event: the sender, the message, and when it passed the bus."""

    source: str
    message: Message
    event_id: str
    time: datetime

    @property
    def id(self) -> str:
        """The id of the message: its own, which survives a resend, else the event's."""
        meta = self.message.meta
        return meta.id if meta is not None and meta.id is not None else self.event_id

    @property
    def sent_at(self) -> datetime:
        """When the sender made it; when it passed the bus, if the sender gave no time."""
        meta = self.message.meta
        return meta.time if meta is not None and meta.time is not None else self.time


def detail_json(message: Message) -> str:
    """Return the `Detail` of a PutEvents entry."""
    # A declaration's size is limited, so the defaults that its author left out are left out.
    return message.model_dump_json(
        exclude_none=True, by_alias=True, exclude_unset=isinstance(message, ServerDeclared)
    )


def seal(message: Message, source: str, event_id: str, time: datetime) -> str:
    """Return the event as EventBridge delivers it, as one line of JSON."""
    # Formatted as text, because it is done for every event and a model would cost many times more.
    return (
        f'{{"version":"0","id":{_quoted(event_id)},"source":{_quoted(source)},'
        f'"detail-type":"{type(message).__name__}","account":"","time":"{rfc3339(time)}",'
        f'"region":"","resources":[],"detail":{detail_json(message)}}}'
    )


def open_envelope(text: str | bytes) -> Envelope:
    """Read an event.

    Raises:
        MalformedEvent: it is not an event, its detail-type is unknown, or its detail is not of
            that type.
    """
    try:
        raw = RawEnvelope.model_validate_json(text)
    except ValidationError as invalid:
        raise MalformedEvent(problems_of(invalid, "malformed_event"), _lenient(text)) from invalid
    return open_raw(raw)


def _lenient(text: str | bytes) -> RawEnvelope | None:
    """Read an envelope whose JSON is not strict, so that its sender can be answered.

    Half a character, for one, is JSON to other readers; a bus carries it. It becomes `?`. What is
    nested too deeply for pydantic is kept, and a time that cannot be read becomes the earliest.
    """
    try:
        strict = json.loads(
            json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")
        )
        return RawEnvelope.model_validate({**strict, "time": _EARLIEST})
    except (TypeError, ValueError, RecursionError):
        return None


def open_raw(raw: RawEnvelope) -> Envelope:
    """Read the detail of an event whose envelope has been read.

    Raises:
        MalformedEvent: its detail-type is unknown, or its detail is not of that type.
    """
    kind = MESSAGES.get(raw.detail_type)
    if kind is None:
        known = ", ".join(MESSAGES)
        raise MalformedEvent(
            [
                Problem(
                    code="unknown_detail_type",
                    message=f"unknown detail-type {raw.detail_type!r}: use one of {known}",
                )
            ],
            raw,
        )
    try:
        return Envelope(raw.source, kind.model_validate(raw.detail), raw.id, raw.time)
    except ValidationError as invalid:
        raise MalformedEvent(problems_of(invalid, "malformed_detail"), raw) from invalid


def problems_of(invalid: ValidationError, code: str) -> list[Problem]:
    """Return one problem per error that pydantic found, at most MAX_PROBLEMS."""
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    problems = [
        Problem(code=code, message=f"{_path_of(error['loc'])}: {_sentence(error['msg'])}")
        for error in errors[:MAX_PROBLEMS]
    ]
    left_out = len(errors) - len(problems)
    if left_out:
        text = f"and {left_out:,} more problems of these kinds"
        problems.append(Problem(code="more", message=text))
    return problems


def _sentence(message: str) -> str:
    # Pydantic puts this in front of what a validator raised, which is a sentence already.
    return message.removeprefix("Value error, ")[:_MAX_TEXT_CHARS]


def _path_of(location: tuple[int | str, ...]) -> str:
    # Its parts are keys of the sender's, which may be of any length.
    return ".".join(map(str, location))[:_MAX_PATH_CHARS] or "the event"

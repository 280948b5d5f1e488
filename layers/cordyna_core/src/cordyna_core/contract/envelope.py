"""The envelope: a message with its sender, as EventBridge carries it.

Invariant: opening what `seal` made gives the same message; what cannot be opened is refused with
every reason, and never guessed.
"""

from datetime import datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cordyna_core.contract.base import Message, Problem
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.frozen import fast_dataclass
from cordyna_core.contract.lenient_json import read_leniently, with_whole_characters
from cordyna_core.contract.limits import MAX_ID_CHARS
from cordyna_core.contract.registry import MESSAGES
from cordyna_core.contract.time import Instant, rfc3339

MAX_PROBLEMS: Final = 100
"""Listed of one event: more would be read by no one, and would not fit into an event."""

_MAX_PATH_CHARS: Final = 256
_IDENTIFYING: Final = ("id", "source", "detail-type")
_EARLIEST: Final = "1970-01-01T00:00:00Z"
_MAX_TEXT_CHARS: Final = 400


class MalformedEvent(ValueError):
    """An event that is not of the contract.

    `problems`: one per error. `raw`: the envelope, if it could be read. Its detail may have what
    JSON cannot carry, such as half a character.
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
        raise _malformed(text, problems_of(invalid, "malformed_event")) from invalid
    return open_raw(raw)


def _malformed(text: str | bytes, problems: list[Problem]) -> MalformedEvent:
    """Return the error of an event that strict JSON or the envelope's model refuses.

    What can be read of it is read, so that its sender can be answered, and the problems of its
    detail are found, too.
    """
    try:
        event = read_leniently(text)
        raw = _raw_of(event)
    except (TypeError, ValueError):
        return MalformedEvent(problems)
    if isinstance(event.get("detail"), dict):
        try:
            open_raw(raw)
        except MalformedEvent as malformed:
            problems = [*problems, *malformed.problems][:MAX_PROBLEMS]
    return MalformedEvent(problems, raw)


def _raw_of(event: Any) -> RawEnvelope:
    """Return what identifies an event, with its detail. Raises TypeError and ValueError.

    A detail that is no object becomes an empty one, and a time that cannot be read the earliest.
    """
    if not isinstance(event, dict):
        raise TypeError("an event is an object")
    fields = {name: with_whole_characters(event.get(name)) for name in _IDENTIFYING}
    detail = event.get("detail")
    fields["detail"] = detail if isinstance(detail, dict) else {}
    try:
        return RawEnvelope.model_validate({**fields, "time": event.get("time")})
    except ValueError:
        return RawEnvelope.model_validate({**fields, "time": _EARLIEST})


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
    except UnicodeEncodeError as broken:
        # Of a half character in an unexpected value, which pydantic cannot quote.
        problem = Problem(code="malformed_detail", message=f"a text is not valid Unicode: {broken}")
        raise MalformedEvent([problem], raw) from broken


def problems_of(invalid: ValidationError, code: str) -> list[Problem]:
    """Return one problem per error that pydantic found, at most MAX_PROBLEMS."""
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    problems = [
        Problem(code=code, message=_sentence(error["loc"], error["msg"]))
        for error in errors[:MAX_PROBLEMS]
    ]
    left_out = len(errors) - len(problems)
    if left_out:
        text = f"and {left_out:,} more problems of these kinds"
        problems.append(Problem(code="more", message=text))
    return problems


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    # The parts of the path are keys of the sender's, which may be of any length, and halves of
    # characters.
    path = with_whole_characters(".".join(map(str, location))[:_MAX_PATH_CHARS])
    # Pydantic puts this in front of what a validator raised, which is a sentence already.
    text = with_whole_characters(message.removeprefix("Value error, ")[:_MAX_TEXT_CHARS])
    return f"{path or 'the event'}: {text}"

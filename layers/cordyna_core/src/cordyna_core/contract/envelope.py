"""The envelope: a message with its sender, as EventBridge carries it.

Law: opening what `seal` made gives the same message; what cannot be opened says why and is never guessed at.
"""

from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from cordyna_core.contract.base import Message, Problem
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.registry import MESSAGES
from cordyna_core.contract.time import rfc3339

MAX_ENVELOPE_BYTES: Final = 1024 * 1024
"""The most that EventBridge takes in one PutEvents entry (Amazon EventBridge quotas)."""


MAX_FAULTS: Final = 100
_LONGEST_PLACE: Final = 256


class MalformedEvent(ValueError):
    """An event that is not of the contract: why, one problem per fault; `raw` as far as it could be read."""

    def __init__(self, problems: list[Problem], raw: "RawEnvelope | None" = None) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems
        self.raw = raw


class RawEnvelope(BaseModel):
    """An EventBridge event whose detail has not been looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, defer_build=True)

    version: str = "0"
    id: str = Field(min_length=1)
    source: str
    detail_type: str = Field(alias="detail-type")
    account: str = ""
    time: AwareDatetime
    region: str = ""
    resources: list[str] = Field(default_factory=list)
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Envelope:
    """An opened event: who said what, and when it passed the bus."""

    source: str
    message: Message
    event_id: str
    time: datetime

    @property
    def id(self) -> str:
        """Names the message: its own id where it has one (it survives a resend), else the event's."""
        meta = self.message.meta
        return meta.id if meta is not None and meta.id is not None else self.event_id

    @property
    def said_at(self) -> datetime:
        """When the sender made it, as exactly as is known."""
        meta = self.message.meta
        return meta.time if meta is not None and meta.time is not None else self.time


def detail_json(message: Message) -> str:
    """The `Detail` of a PutEvents entry."""
    # A declaration has a quota (section 8), so it carries no defaults: what its author left out is left out.
    return message.model_dump_json(
        exclude_none=True, by_alias=True, exclude_unset=isinstance(message, ServerDeclared)
    )


def seal(message: Message, source: str, event_id: str, time: datetime) -> str:
    """The event as EventBridge delivers it, as one line of JSON."""
    # Set together as text, for this is done once for every event: dumping it through a model would cost many times as much.
    return (
        f'{{"version":"0","id":{_quoted(event_id)},"source":{_quoted(source)},"detail-type":"{type(message).__name__}","account":"",'
        f'"time":"{rfc3339(time)}","region":"","resources":[],"detail":{detail_json(message)}}}'
    )


def open_envelope(text: str | bytes) -> Envelope:
    """Read an event.

    Raises:
        MalformedEvent: when it is no JSON, no event, of an unknown detail-type, or its detail is not of that type.
    """
    try:
        raw = RawEnvelope.model_validate_json(text)
    except ValidationError as invalid:
        raise MalformedEvent(problems_of(invalid, "malformed_event")) from invalid
    return open_raw(raw)


def open_raw(raw: RawEnvelope) -> Envelope:
    """Read the detail of an event whose envelope has been read. Raises MalformedEvent."""
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
    """One problem per fault that pydantic found, but no more than a person reads and an event can carry."""
    faults = invalid.errors(include_url=False, include_context=False, include_input=False)
    told = [
        Problem(code=code, message=f"{_place(error['loc'])}: {error['msg']}")
        for error in faults[:MAX_FAULTS]
    ]
    left_out = len(faults) - len(told)
    return (
        [*told, Problem(code="more", message=f"and {left_out:,} more problems of these kinds")]
        if left_out
        else told
    )


def _place(loc: tuple[int | str, ...]) -> str:
    # A key is whatever its author wrote.
    return ".".join(map(str, loc))[:_LONGEST_PLACE] or "the event"

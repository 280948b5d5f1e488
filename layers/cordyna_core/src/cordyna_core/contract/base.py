"""Message: what every command and every state update has in common.

Invariant: a message is frozen, its detail is flat, and a reader ignores unknown fields.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from cordyna_core.contract.ids import Name
from cordyna_core.contract.json_values import Flag
from cordyna_core.contract.limits import (
    MAX_ERROR_BYTES,
    MAX_ERROR_MESSAGE_BYTES,
    MAX_ERROR_TYPE_BYTES,
    MAX_ID_CHARS,
)
from cordyna_core.contract.time import Instant, utc

State = Literal["pending", "queued", "started", "completed", "error"]
"""The five task states. Nothing else is ever a state on the wire."""


class Part(BaseModel):
    """A part of a message."""

    # extra="ignore": a newer sender may send fields that this reader does not know.
    # defer_build: a program builds the models that it uses, not all of them when it starts.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


def no_items() -> list[Any]:
    """Return an empty list: the default of a field.

    pydantic asks for the signature of each factory, and that of `list` takes Python 8 ms to find.
    """
    return []


class Producer(Part):
    """The program that made a message."""

    name: str = Field(max_length=MAX_ID_CHARS)
    version: str = Field("", max_length=MAX_ID_CHARS)


class Meta(Part):
    """The metadata of a message. A person may leave it out."""

    id: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_ID_CHARS,
        description="Identifies the message; a message that is sent again keeps it.",
    )
    time: Instant | None = Field(
        None, description="When it was made, UTC, RFC 3339 with milliseconds."
    )
    producer: Producer | None = None
    cause: str | None = Field(
        None, max_length=MAX_ID_CHARS, description="The id of the message that led to this one."
    )
    traceparent: str | None = Field(
        None, max_length=MAX_ID_CHARS, description="W3C trace context, passed on unchanged."
    )


def meta_at(
    now: float, message_id: str, cause: str | None = None, traceparent: str | None = None
) -> Meta:
    """Return the meta of a message made at `now` (UTC seconds), in whole milliseconds."""
    time = utc(int(now * 1000) / 1000)
    return Meta(id=message_id, time=time, cause=cause, traceparent=traceparent)


class Message(Part):
    """One message on the bus; its class name is its `detail-type`."""

    is_command: ClassVar[bool] = False

    meta: Meta | None = None


class Problem(Part):
    """One reason why a declaration or an invocation is refused."""

    code: str = Field(description="Stable and machine-readable, e.g. `cycle`, `unknown_task`.")
    message: str = Field(description="What is wrong and how to fix it, for a person.")
    path: list[str] | None = Field(
        None, description="The tasks involved, in order; a cycle ends with its first task again."
    )


class ErrorDescription(Part):
    """Why an attempt failed, as its server describes it; a text that is too long is cut.

    The whole of it has at most MAX_ERROR_BYTES; of a traceback the end is kept.
    """

    type: Annotated[str, AfterValidator(lambda text: _first_bytes(text, MAX_ERROR_TYPE_BYTES))]
    message: Annotated[
        str, AfterValidator(lambda text: _first_bytes(text, MAX_ERROR_MESSAGE_BYTES))
    ] = ""
    retryable: Flag = True
    traceback: str | None = None

    @field_validator("traceback")
    @classmethod
    def _cut_traceback(cls, text: str | None, info: ValidationInfo) -> str | None:
        others = (info.data.get("type", ""), info.data.get("message", ""))
        room = MAX_ERROR_BYTES - sum(len(_utf8(other)) for other in others)
        return text and _last_bytes(text, room)


def _first_bytes(text: str, limit: int) -> str:
    # No character has more than four bytes.
    if len(text) * 4 <= limit or len(_utf8(text)) <= limit:
        return text
    return _utf8(text)[:limit].decode("utf-8", "ignore")


def _last_bytes(text: str, limit: int) -> str:
    if len(text) * 4 <= limit or len(_utf8(text)) <= limit:
        return text
    return _utf8(text)[-limit:].decode("utf-8", "ignore")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


class RootCause(Part):
    """A task that failed permanently, which blocks others."""

    task: Name
    server: str
    owner: str | None = None
    reason: str

"""Message: what every command and every state update has in common.

Law: a message is frozen, its detail is flat, and a reader ignores the fields that it does not know.
"""

from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from cordyna_core.contract.ids import Name
from cordyna_core.contract.time import Instant, utc

State = Literal["pending", "queued", "started", "completed", "error"]
"""The five task states. Nothing else is ever a state on the wire."""

JsonObject = dict[str, Any]

LONGEST_ID: Final = 256
"""What names a message is kept beside every fact that it led to, so nobody may make it long."""


class Part(BaseModel):
    """A piece of a message."""

    # extra="ignore": a newer sender may say more than we understand.
    # defer_build: a program pays for the messages that it uses, not for all of them each time it starts.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Producer(Part):
    """The program that made a message."""

    name: str = Field(max_length=LONGEST_ID)
    version: str = Field("", max_length=LONGEST_ID)


class Meta(Part):
    """What a message says about itself. A human may leave it out."""

    id: str | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_ID,
        description="Names the message; resending it keeps the id.",
    )
    time: Instant | None = Field(
        None, description="When it was made, UTC, RFC 3339 with milliseconds."
    )
    producer: Producer | None = None
    cause: str | None = Field(
        None, max_length=LONGEST_ID, description="The id of the message that led to this one."
    )
    traceparent: str | None = Field(
        None, max_length=LONGEST_ID, description="W3C trace context, handed on unchanged."
    )


def meta_at(now: float, message_id: str, cause: str | None = None) -> Meta:
    """Meta of a message made at `now` (UTC seconds), rounded down to the contract's milliseconds."""
    return Meta(id=message_id, time=utc(int(now * 1000) / 1000), cause=cause)


class Message(Part):
    """One thing said on the bus; its class name is its `detail-type`."""

    is_command: ClassVar[bool] = False

    meta: Meta | None = None


class Problem(Part):
    """One reason why a declaration or an invocation is refused."""

    code: str = Field(description="Stable and machine-readable, e.g. `cycle`, `unknown_task`.")
    message: str = Field(description="What is wrong and what to do about it, for a person.")
    path: list[str] | None = Field(
        None, description="The tasks involved, in order; for a cycle the first comes again last."
    )


class ErrorDescription(Part):
    """What a task's team owes when it fails."""

    type: str
    message: str = ""
    retryable: bool = True
    traceback: str | None = None


class RootCause(Part):
    """A task that failed for good and thereby blocks others."""

    task: Name
    server: str
    owner: str | None = None
    reason: str

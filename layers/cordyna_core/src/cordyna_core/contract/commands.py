"""Commands: messages in the imperative, each with one addressee.

Law: a command says what is wanted; whether it happened is told by a state update.
"""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from cordyna_core.contract.base import JsonObject, Message
from cordyna_core.contract.ids import Name, RunId
from cordyna_core.contract.time import Instant


class Command(Message):
    """An order to cerebro or to one task server."""

    is_command: ClassVar[bool] = True


class InvokeTask(Command):
    """To cerebro: run this task, with its whole upstream closure. `{"task": "task-3"}` is all a person must type."""

    task: Name
    params: JsonObject = Field(
        default_factory=dict,
        description="Each task of the closure gets those that its schema names.",
    )
    key: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Idempotency: the same key gives the same run. Default: the event's id.",
    )
    max_age_s: int | None = Field(
        None, ge=0, description="A completed result at most this old may be reused, in seconds."
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="Kept with the run; cordyna does not read them."
    )
    scheduled_at: Instant | None = Field(
        None, description="The nominal time of a cron tick (scheduler only)."
    )


class CancelRun(Command):
    """To cerebro: end a run now; what is live is told to stop."""

    run_id: RunId
    command_id: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="The same id acts once. Default: the event's id.",
    )


class RetryRun(Command):
    """To cerebro: give what failed a new attempt; what completed is kept."""

    # "from" is a word of Python's: here it is called from_, on the wire as it should be.
    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True
    )

    run_id: RunId
    command_id: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="The same id acts once. Default: the event's id.",
    )
    from_: list[Name] = Field(
        default_factory=list,
        alias="from",
        description="Only these failed tasks. Default: all of them.",
    )


class RunTask(Command):
    """To a task server: run this task now."""

    server: Name
    run_id: RunId
    task: Name
    attempt: int = Field(ge=1)
    params: JsonObject = Field(default_factory=dict)
    upstream: dict[str, Any] = Field(
        default_factory=dict,
        description="Direct upstreams' outputs in declared order, up to 128 KB in all.",
    )
    upstream_omitted: list[Name] = Field(
        default_factory=list, description="Direct upstreams whose output did not fit."
    )
    ack_by: Instant = Field(
        description="Do not start a body after this, unless `queued` was said before."
    )
    start_by: Instant = Field(description="Do not start a body after this.")
    scheduled_at: Instant | None = None


class CancelTask(Command):
    """To a task server: stop this attempt if it can be stopped."""

    server: Name
    run_id: RunId
    task: Name
    attempt: int = Field(ge=1)


class DescribeServer(Command):
    """To one task server, or to all of them (`*`, the roll call): declare yourself again."""

    server: Name | Literal["*"] = "*"

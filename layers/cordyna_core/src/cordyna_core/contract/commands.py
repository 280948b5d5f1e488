"""Commands: messages in the imperative, each with one addressee.

Invariant: a command is a request; a state update reports whether it was carried out.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from cordyna_core.contract.base import Message, no_items
from cordyna_core.contract.ids import Name, RunId
from cordyna_core.contract.json_values import STRICT, WHOLE, BoundedJsonObject, Flag, Whole
from cordyna_core.contract.limits import (
    MAX_AGE_S,
    MAX_ATTEMPT,
    MAX_COMMAND_ID_CHARS,
    MAX_ID_CHARS,
    MAX_REVISION,
)
from cordyna_core.contract.time import Instant

AgeS = Annotated[int, STRICT, Field(ge=0, le=MAX_AGE_S), WHOLE]


class Command(Message):
    """A request to cerebro or to task servers."""

    is_command: ClassVar[bool] = True


class InvokeTask(Command):
    """To cerebro: run this task, with its whole upstream closure.

    A person may write only `{"task": "task-3"}`.
    """

    task: Name
    params: BoundedJsonObject = Field(
        default_factory=dict,
        description="Each task of the closure gets the params that its schema names.",
    )
    key: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_ID_CHARS,
        description="Idempotency: the same key gives the same run. Default: the event's id.",
    )
    max_age_s: AgeS | None = Field(
        None,
        description="A completed result at most this old may be reused, in seconds.",
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="Kept with the run; cordyna does not read them."
    )
    scheduled_at: Instant | None = Field(
        None, description="The nominal time of a cron tick (scheduler only)."
    )
    by_run: RunId | None = Field(
        None, description="The run whose task sent it, which is told if it is refused."
    )
    by_task: Name | None = Field(None, description="The task of `by_run` that sent it.")


class CancelRun(Command):
    """To cerebro: end a run now, and ask its live attempts to stop."""

    run_id: RunId
    command_id: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_COMMAND_ID_CHARS,
        description="The same id acts once. Default: the event's id.",
    )


class RetryRun(Command):
    """To cerebro: give the failed tasks of a run a new attempt; completed tasks are kept."""

    # "from" is a keyword of Python, so the attribute is from_; on the wire it is "from".
    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True
    )

    run_id: RunId
    command_id: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_COMMAND_ID_CHARS,
        description="The same id acts once. Default: the event's id.",
    )
    from_: list[Name] = Field(
        default_factory=no_items,
        alias="from",
        description="Only these failed tasks. Default: all of them.",
    )
    downstream: Flag = Field(
        False,
        description="Run the tasks of `from` again, also completed ones, and all that used them.",
    )


class RemoveServer(Command):
    """To cerebro: remove the declaration of this server; its task names become free."""

    server: Name
    revision: Whole = Field(
        0,
        ge=0,
        le=MAX_REVISION,
        description="Of the removal; a server with a higher accepted revision stays.",
    )


class RunTask(Command):
    """To a task server: run this task now."""

    server: Name
    run_id: RunId
    task: Name
    attempt: Whole = Field(ge=1, le=MAX_ATTEMPT)
    params: BoundedJsonObject = Field(default_factory=dict)
    upstream: BoundedJsonObject = Field(
        default_factory=dict,
        description="Outputs of the direct upstreams in declared order, up to 128 KB in all.",
    )
    upstream_omitted: list[Name] = Field(
        default_factory=no_items, description="Direct upstreams whose outputs did not fit."
    )
    ack_by: Instant = Field(
        description="Start no body after this time, unless `queued` was sent before."
    )
    start_by: Instant = Field(description="Start no body after this time.")
    scheduled_at: Instant | None = None


class CancelTask(Command):
    """To a task server: stop this attempt, if it can be stopped."""

    server: Name
    run_id: RunId
    task: Name
    attempt: Whole = Field(ge=1, le=MAX_ATTEMPT)


class DescribeServer(Command):
    """To one task server, or to all (`*`): declare yourself again."""

    server: Name | Literal["*"] = "*"

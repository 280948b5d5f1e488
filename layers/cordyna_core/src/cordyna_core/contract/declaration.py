"""Declarations: the full set of a task server's tasks, as they are on the wire.

Invariant: a declaration is strict. An unknown field is a mistake of its author, and is refused.
"""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from cordyna_core.contract.access import MAX_ENTRIES, AccessEntry
from cordyna_core.contract.base import Message, Part, no_items
from cordyna_core.contract.cron import Cron
from cordyna_core.contract.due import Due
from cordyna_core.contract.ids import Name
from cordyna_core.contract.json_values import STRICT, WHOLE, BoundedJsonObject, Flag, Number, Whole
from cordyna_core.contract.limits import (
    MAX_AGE_S,
    MAX_CLOCK_S,
    MAX_DEPRECATED_CHARS,
    MAX_DESCRIPTION_CHARS,
    MAX_OWNER_CHARS,
    MAX_RETRIES,
    MAX_RETRY_BACKOFF,
    MAX_RETRY_DELAY_S,
    MAX_REVISION,
)
from cordyna_core.contract.time_zones import is_time_zone

DEFAULT_ACK_TIMEOUT_S: Final = 10
DEFAULT_START_TIMEOUT_S: Final = 600
DEFAULT_RUN_TIMEOUT_S: Final = 1800

CONTRACTS: Final = ("1", "2")
"""The versions of the contract that this version reads, the newest last."""

_FIELDS_OF_CONTRACT_1: Final = frozenset(
    {
        "name",
        "upstream",
        "cron",
        "timezone",
        "overlap",
        "retries",
        "ack_timeout_s",
        "start_timeout_s",
        "run_timeout_s",
        "owner",
        "description",
        "params_schema",
    }
)
_EDGE_FIELDS_OF_CONTRACT_1: Final = frozenset({"task", "within_s"})

FIELDS_WITHOUT_EFFECT_ON_RESULTS: Final = frozenset(
    {
        "consumers",
        "invokers",
        "deprecated",
        "until",
        "due",
        "retry_delay_s",
        "retry_backoff",
        "retry_max_delay_s",
        "retry_jitter",
    }
)
"""Fields of contract 2 whose change makes no earlier result of a task unusable."""

DEFAULT_RETRY_DELAY_S: Final = 5
DEFAULT_RETRY_BACKOFF: Final = 2.0
DEFAULT_RETRY_MAX_DELAY_S: Final = 600

RetryDelayS = Annotated[int, STRICT, Field(ge=1, le=MAX_RETRY_DELAY_S), WHOLE]
ClockS = Annotated[int, STRICT, Field(ge=1, le=MAX_CLOCK_S), WHOLE]
WithinS = Annotated[int, STRICT, Field(ge=1, le=MAX_AGE_S), WHOLE]


def _cron(text: str) -> str:
    Cron.parse(text)
    return text


class Upstream(Part):
    """An edge with a condition.

    `within_s`: a completed result at most so many seconds old may be reused. `expects`: the JSON
    Schema that the output of the upstream shall fit; with `strict`, a declaration that breaks it is
    rejected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Name
    within_s: WithinS | None = None
    expects: BoundedJsonObject | None = Field(
        None, description="JSON Schema (draft 2020-12) of the output of the upstream."
    )
    strict: Flag = Field(
        False, description="Reject declarations that break `expects`; needs `expects`."
    )

    # Of the field, not of the model: so the place of a fault in an upstream stays the same.
    @field_validator("strict")
    @classmethod
    def _strict_needs_expects(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001
        if value and info.data.get("expects") is None:
            raise ValueError("strict needs expects: say what the output shall be")
        return value


class TaskDeclaration(Part):
    """One task, as declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    upstream: list[Name | Upstream] = Field(default_factory=no_items)
    cron: Annotated[str, AfterValidator(_cron)] | None = Field(
        None, description="Five unix fields."
    )
    timezone: str = "UTC"
    overlap: Literal["skip", "allow"] = Field(
        "skip", description="What a cron tick does while the run of the last tick is not over."
    )
    retries: Whole = Field(0, ge=0, le=MAX_RETRIES)
    ack_timeout_s: ClockS = Field(
        DEFAULT_ACK_TIMEOUT_S, description="Command sent -> queued or started."
    )
    start_timeout_s: ClockS = Field(DEFAULT_START_TIMEOUT_S, description="Queued -> started.")
    run_timeout_s: ClockS = Field(
        DEFAULT_RUN_TIMEOUT_S, description="Started -> completed or error."
    )
    owner: str | None = Field(None, max_length=MAX_OWNER_CHARS)
    description: str | None = Field(None, max_length=MAX_DESCRIPTION_CHARS)
    params_schema: BoundedJsonObject | None = Field(
        None, description="JSON Schema (draft 2020-12) of the task's parameters, an object."
    )

    consumers: list[AccessEntry] | None = Field(
        None,
        max_length=MAX_ENTRIES,
        description="Servers whose tasks may depend on it; default: all, `[]`: its own server.",
    )
    invokers: list[AccessEntry] | None = Field(
        None,
        max_length=MAX_ENTRIES,
        description="Servers, and clients as `client.<name>`, that may invoke it; default: all.",
    )
    deprecated: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_DEPRECATED_CHARS,
        description="What to use instead; the owners downstream are notified.",
    )
    until: date | None = Field(None, description="The last day of a deprecated task.")
    due: Due | None = Field(
        None,
        description="Until when the run of a cron tick has to be completed: a time of day such as "
        "`07:00`, or a time after the tick such as `2h`.",
    )

    retry_delay_s: RetryDelayS = Field(
        DEFAULT_RETRY_DELAY_S, description="The pause after the first attempt."
    )
    retry_backoff: Number = Field(
        DEFAULT_RETRY_BACKOFF,
        ge=1,
        le=MAX_RETRY_BACKOFF,
        description="By what each further pause is multiplied.",
    )
    retry_max_delay_s: RetryDelayS = Field(
        DEFAULT_RETRY_MAX_DELAY_S, description="The longest pause, without its jitter."
    )
    retry_jitter: Flag = Field(
        True, description="Whether up to a quarter is added to each pause, as a hash decides."
    )
    output_schema: BoundedJsonObject | None = Field(
        None, description="JSON Schema (draft 2020-12) that every output of the task fits."
    )

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if self.retry_max_delay_s < self.retry_delay_s:
            raise ValueError(
                f"retry_max_delay_s {self.retry_max_delay_s} is less than "
                f"retry_delay_s {self.retry_delay_s}"
            )
        if self.until is not None and self.deprecated is None:
            raise ValueError("until needs deprecated: say what to use instead")
        if self.due is not None and self.cron is None:
            raise ValueError("due needs cron: it follows the nominal time of a tick")
        return self

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if not is_time_zone(value):
            raise ValueError(
                f"unknown time zone {value[:100]!r}: use an IANA name such as Europe/Berlin"
            )
        return value

    @property
    def upstream_names(self) -> tuple[str, ...]:
        """The names of the direct upstreams, in declared order."""
        return tuple([edge if isinstance(edge, str) else edge.task for edge in self.upstream])

    @property
    def expecting(self) -> dict[str, Upstream]:
        """The edges with an expected type, by upstream name."""
        return {e.task: e for e in self.upstream if not isinstance(e, str) and e.expects}

    @property
    def within_s(self) -> dict[str, int]:
        """Seconds by upstream name, of the edges with a freshness condition."""
        return {
            e.task: e.within_s
            for e in self.upstream
            if not isinstance(e, str) and e.within_s is not None
        }


def contract_of(tasks: Iterable[TaskDeclaration]) -> Literal["1", "2"]:
    """Return the oldest version of the contract in which these tasks can be declared."""
    return "2" if any(map(_uses_contract_2, tasks)) else "1"


def _uses_contract_2(task: TaskDeclaration) -> bool:
    return _is_set_beyond(task, _FIELDS_OF_CONTRACT_1) or any(
        _is_set_beyond(edge, _EDGE_FIELDS_OF_CONTRACT_1)
        for edge in task.upstream
        if isinstance(edge, Upstream)
    )


def _is_set_beyond(part: Part, known: frozenset[str]) -> bool:
    return any(
        getattr(part, name) != field.get_default(call_default_factory=True)
        for name, field in type(part).model_fields.items()
        if name not in known
    )


class ServerDeclared(Message):
    """From a task server: the full set of its tasks, which replaces the one declared before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: Name
    contract: Literal["1", "2"] = Field(
        "1", description="The oldest version of the contract that has all fields in use."
    )
    revision: Whole = Field(
        0,
        ge=0,
        le=MAX_REVISION,
        description="Of the deployment; if lower than the accepted one, only a sign of life.",
    )
    tasks: list[TaskDeclaration] = Field(default_factory=no_items)

    @field_validator("contract", mode="before")
    @classmethod
    def _known_contract(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in CONTRACTS:
            known = " and ".join(f'"{contract}"' for contract in CONTRACTS)
            raise ValueError(
                f'the server uses contract "{value[:20]}", and this cerebro reads {known}: '
                "deploy cerebro first, then declare again"
            )
        return value

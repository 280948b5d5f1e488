"""What a task server declares: its full set of tasks, as it stands on the wire.

Law: a declaration is strict. A field that nobody knows is a mistake of its author, and is refused.
"""

from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, field_validator

from cordyna_core.contract.base import Message, Part
from cordyna_core.contract.cron import Cron
from cordyna_core.contract.ids import Name

ACK_TIMEOUT_S: Final = 10
START_TIMEOUT_S: Final = 600
RUN_TIMEOUT_S: Final = 1800
MAX_RETRIES: Final = 20
MAX_REVISION: Final = 2**53 - 1
"""The largest whole number that every JSON reader keeps; beyond it a server could never declare again."""

MAX_CLOCK_S: Final = 365 * 24 * 3600

ClockS = Annotated[int, Field(ge=1, le=MAX_CLOCK_S)]


def _cron(text: str) -> str:
    Cron.parse(text)
    return text


class Upstream(Part):
    """An edge with a condition: a completed result at most `within_s` seconds old may be reused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Name
    within_s: int | None = Field(None, ge=1)


class TaskDeclaration(Part):
    """One task, as declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    upstream: list[Name | Upstream] = Field(default_factory=list)
    cron: Annotated[str, AfterValidator(_cron)] | None = Field(
        None, description="Five unix fields."
    )
    timezone: str = "UTC"
    overlap: Literal["skip", "allow"] = Field(
        "skip", description="What a cron tick does while the task's last cron run is going on."
    )
    retries: int = Field(0, ge=0, le=MAX_RETRIES)
    ack_timeout_s: ClockS = Field(ACK_TIMEOUT_S, description="Command sent -> queued or started.")
    start_timeout_s: ClockS = Field(START_TIMEOUT_S, description="Queued -> started.")
    run_timeout_s: ClockS = Field(RUN_TIMEOUT_S, description="Started -> completed or error.")
    owner: str | None = Field(None, max_length=256)
    description: str | None = Field(None, max_length=2048)
    params_schema: dict[str, Any] | None = Field(
        None, description="JSON Schema (draft 2020-12) of an object: the task's parameters."
    )

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            # UTC is known everywhere, also where no time zone data is installed.
            value == "UTC" or ZoneInfo(value)
        except (ValueError, OSError, LookupError) as unknown:
            raise ValueError(
                f"unknown time zone {value!r}: use an IANA name such as Europe/Berlin"
            ) from unknown
        return value

    @property
    def upstream_names(self) -> tuple[str, ...]:
        """The names of the direct upstreams, in declared order."""
        return tuple([edge if isinstance(edge, str) else edge.task for edge in self.upstream])

    @property
    def within_s(self) -> dict[str, int]:
        """The edges with a freshness condition: upstream name -> seconds."""
        return {
            e.task: e.within_s
            for e in self.upstream
            if not isinstance(e, str) and e.within_s is not None
        }


class ServerDeclared(Message):
    """From a task server: these are all my tasks; they replace what I declared before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: Name
    contract: Literal["1"] = "1"
    revision: int = Field(
        0,
        ge=0,
        le=MAX_REVISION,
        description="Of the deployment; a lower one than the accepted one is only a sign of life.",
    )
    tasks: list[TaskDeclaration] = Field(default_factory=list)

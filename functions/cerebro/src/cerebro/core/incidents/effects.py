"""Effects of incidents: what their programs ask of their surroundings, beside those of runs.

Invariant: programs about incidents reach their surroundings by these and by core/effects.py only.
"""

from cerebro.core.effects import Effect
from cerebro.core.incidents.deadline import Deadline
from cerebro.core.incidents.incident import Incident
from cerebro.core.incidents.notices import AnyIncidentTimer, IncidentNotice
from cerebro.core.model.run import Run
from cordyna_core.contract.frozen import fast_dataclass


@fast_dataclass(frozen=True, slots=True)
class ReadIncident(Effect[Incident | None]):
    """An incident, strongly consistent, also a closed one."""

    incident: str


@fast_dataclass(frozen=True, slots=True)
class WriteIncident(Effect[Incident | None]):
    """Write an incident if `seen` is stored; `seen` None: if none is stored.

    The answer is None if it was written, else the incident that is stored instead.
    """

    new: Incident
    seen: Incident | None


@fast_dataclass(frozen=True, slots=True)
class MarkCause(Effect[None]):
    """Have the graph list this mark (`on`), or no longer. Done twice, it is done once."""

    mark: str
    on: bool


@fast_dataclass(frozen=True, slots=True)
class ReadDeadline(Effect[Deadline | None]):
    """The deadline of a task in the run of a nominal time, strongly consistent."""

    task: str
    nominal: float


@fast_dataclass(frozen=True, slots=True)
class WriteDeadline(Effect[Deadline | None]):
    """Write a deadline if `seen` is stored; answers as WriteIncident does."""

    new: Deadline
    seen: Deadline | None


@fast_dataclass(frozen=True, slots=True)
class ReadActiveRuns(Effect[list[str]]):
    """At least every run that is running; some may have ended."""


@fast_dataclass(frozen=True, slots=True)
class ReadNewestRuns(Effect[list[Run]]):
    """The newest runs, newest first."""

    limit: int


@fast_dataclass(frozen=True, slots=True)
class SendIncidentTimer(Effect[None]):
    """Have the timer delivered when it is due, or up to two seconds later."""

    timer: AnyIncidentTimer


@fast_dataclass(frozen=True, slots=True)
class SendIncidentNotice(Effect[None]):
    """Have the notice delivered to the handler of incidents soon."""

    notice: IncidentNotice

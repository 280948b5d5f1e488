"""Notices: cerebro's messages to itself about incidents. They never pass the bus.

Invariant: a notice is a hint. The program that receives it reads what is stored, and one that is
delivered twice, or late, finds nothing to do.
"""

from cordyna_core.contract.frozen import fast_dataclass
from cordyna_core.contract.incidents import ServerKind


@fast_dataclass(frozen=True, slots=True)
class CompletionNotice:
    """A task run that an open incident waits for has completed."""

    run_id: str
    index: int
    attempt: int
    dispatched_at: float

    @property
    def id(self) -> str:
        return f"completion:{self.run_id}:{self.index}:{self.attempt}"


@fast_dataclass(frozen=True, slots=True)
class FailureNotice:
    """Something failed for good in a run that was failing already.

    `cause`: the input that wrote the failure. Two failures of a run have two notices.
    """

    run_id: str
    cause: str = ""

    @property
    def id(self) -> str:
        return f"failure:{self.run_id}:{self.cause}"


@fast_dataclass(frozen=True, slots=True)
class ServerNotice:
    """A server with an open incident is alive, or its declaration is accepted. `at`: UTC seconds.

    `event` is the id of the event that shows it.
    """

    server: str
    kind: ServerKind
    at: float
    event: str

    @property
    def id(self) -> str:
        return f"server:{self.event}"


@fast_dataclass(frozen=True, slots=True)
class IncidentTimer:
    """Look at this incident now: find completions that were missed, publish what has changed."""

    incident: str
    due: float

    @property
    def id(self) -> str:
        return f"incident:{self.incident}:{self.due:.3f}"


@fast_dataclass(frozen=True, slots=True)
class DeadlineTimer:
    """The task has to be completed by now, in the run of this nominal time."""

    task: str
    nominal: float
    due: float

    @property
    def id(self) -> str:
        return f"deadline:{self.task}:{self.nominal:.3f}"


IncidentNotice = CompletionNotice | FailureNotice | ServerNotice
AnyIncidentTimer = IncidentTimer | DeadlineTimer

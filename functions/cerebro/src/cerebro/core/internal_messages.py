"""Internal messages: what cerebro sends to itself, past the bus, so that no one else can send it.

Invariant: each may arrive twice, late, or when there is nothing to do any more.
"""

from cerebro.core.incidents.notices import AnyIncidentTimer, IncidentNotice
from cordyna_core.contract.frozen import fast_dataclass


@fast_dataclass(frozen=True, slots=True)
class PageTimer:
    """Look at this page now.

    It is a hint: it is never cancelled, and a stale one finds nothing to do.

    `is_shared` off: it guards one attempt only, and is not recorded. Once the run of that attempt
    has completed, it may be dropped before it is due.
    """

    run_id: str
    page: int
    due: float
    is_shared: bool = True

    @property
    def id(self) -> str:
        return f"ring:{self.page}:{self.due:.3f}"


@fast_dataclass(frozen=True, slots=True)
class FanOut:
    """Continue a fan-out that is wide, or whose handler had no more time.

    `index` None: from the roots. `start`: the position among its downstream tasks.

    With `page`, it continues the repair of that page, and `start` is the index of a task.
    """

    run_id: str
    index: int | None
    start: int
    cause: str
    repair: bool = False
    page: int | None = None


@fast_dataclass(frozen=True, slots=True)
class OverdueCheck:
    """Decide what was overdue on this page at `asked_at`.

    It passes the tracker's queue, so that the updates which waited there are handled first. `turn`
    counts how often it was put at the end of the queue again. `start` is the first index that it
    is about. `due` is when the timer that asked for it was due: no later than each of these
    deadlines, unless a timer was lost.
    """

    run_id: str
    page: int
    asked_at: float
    sent_at: float
    turn: int = 0
    start: int = 0
    due: float = 0.0

    @property
    def id(self) -> str:
        """The same for every turn and part, so that each repeats the effects of the others."""
        return f"overdue:{self.page}:{self.asked_at:.6f}:{self.due:.3f}"

    @staticmethod
    def due_in(message_id: str) -> float | None:
        """Return the `due` of the check with this id.

        None for another message, or one without it.
        """
        kind, *parts = message_id.split(":")
        return float(parts[2]) if kind == "overdue" and len(parts) == 3 else None


@fast_dataclass(frozen=True, slots=True)
class Tick:
    """The nominal time of a task's cron has come."""

    task: str
    nominal: float


InternalMessage = PageTimer | FanOut | OverdueCheck | Tick | IncidentNotice | AnyIncidentTimer
"""All of them; those of incidents are in incidents/notices.py."""

"""Effects: everything a program may ask of its surroundings, as data.

A program is a coroutine: it awaits one effect at a time, and the shell that drives it sends the
answer. It performs nothing itself, so it runs unchanged on a laptop, on AWS and in the simulator,
and it may crash between any two effects.

Invariant: a program tolerates being stopped after any effect and being run again from its start
with the same input.
"""

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

from cerebro.core.graph.graph import Graph
from cerebro.core.graph.versions import Head
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer
from cerebro.core.model.plan import CachedResult, Plan
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cordyna_core.contract.base import Message
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.frozen import fast_dataclass
from cordyna_core.contract.incidents import GraphChanged
from cordyna_core.contract.state_updates import ServerState

Answer_co = TypeVar("Answer_co", covariant=True)


class Effect(Generic[Answer_co]):
    """One request; awaiting it gives the answer. The driver of the program performs it."""

    __slots__ = ()

    def __await__(self) -> Generator["Effect[Any]", Any, Answer_co]:
        answer: Answer_co = yield self
        return answer


Program = Coroutine[Effect[Any], Any, None]
"""The type of a reaction.

`program.send(None)` gives its first effect, `program.send(answer)` the next one.
"""


@fast_dataclass(frozen=True, slots=True)
class Now(Effect[float]):
    """The time in UTC seconds.

    Read it where it is needed: a program may have been paused for minutes.
    """


@fast_dataclass(frozen=True, slots=True)
class ReadRunSnapshot(Effect[RunSnapshot | None]):
    """A run with its plan. It may come from a cache: use only what never changes of it."""

    run_id: str


@fast_dataclass(frozen=True, slots=True)
class ReadRun(Effect[Run | None]):
    """A run, strongly consistent."""

    run_id: str


@fast_dataclass(frozen=True, slots=True)
class ReadRecentRun(Effect[Run | None]):
    """A run as it is or was a moment ago, at half the price. None proves nothing."""

    run_id: str


@fast_dataclass(frozen=True, slots=True)
class WriteRun(Effect[Run | None]):
    """Write a run if `seen` is stored; `seen` None: if none is stored.

    The answer is None if it was written, else the run that is stored instead.
    """

    new: Run
    seen: Run | None


@fast_dataclass(frozen=True, slots=True)
class WritePlan(Effect[None]):
    """Store a plan; storing it again extends its expiry."""

    plan: Plan


@fast_dataclass(frozen=True, slots=True)
class ReadGraph(Effect[Graph]):
    """The graph: its head strongly consistent, its declarations cached by version."""


@fast_dataclass(frozen=True, slots=True)
class WriteDeclaration(Effect[None]):
    """Store a declaration under its version; nothing refers to it before the head does."""

    version: str
    declared: ServerDeclared


@fast_dataclass(frozen=True, slots=True)
class WriteHead(Effect[bool]):
    """Replace the graph's head if it is `seen`. The answer is whether it was replaced."""

    new: Head
    seen: Head


@fast_dataclass(frozen=True, slots=True)
class ReadGraphChange(Effect[GraphChanged | None]):
    """What is to be published when the head names this version of a server; "" if it names none."""

    server: str
    version: str


@fast_dataclass(frozen=True, slots=True)
class WriteGraphChange(Effect[None]):
    """Store what ReadGraphChange answers; None: it is published."""

    server: str
    version: str
    change: GraphChanged | None


@fast_dataclass(frozen=True, slots=True)
class NoteServer(Effect[None]):
    """Record a sign of life, and the state that the server reports (None: no new state)."""

    server: str
    state: ServerState | None
    at: float


@fast_dataclass(frozen=True, slots=True)
class NoteMissedAck(Effect[None]):
    """Record that a server did not acknowledge a command in time."""

    server: str
    at: float


@fast_dataclass(frozen=True, slots=True)
class ApplyCrons(Effect[None]):
    """Make the schedules match the crons of the graph's head."""

    generation: int


@fast_dataclass(frozen=True, slots=True)
class ReadCachedResult(Effect[CachedResult | None]):
    """The newest result of a task with this fingerprint."""

    task: str
    fingerprint: str


@fast_dataclass(frozen=True, slots=True)
class WriteCachedResult(Effect[None]):
    """Record a result; an older one never replaces a newer one."""

    task: str
    fingerprint: str
    result: CachedResult


@fast_dataclass(frozen=True, slots=True)
class ReadTick(Effect[float | None]):
    """The nominal time of the last tick of a task that fired."""

    task: str


@fast_dataclass(frozen=True, slots=True)
class WriteTick(Effect[None]):
    """Record a tick; an earlier one never replaces a later one."""

    task: str
    nominal: float


@fast_dataclass(frozen=True, slots=True)
class ReadTask(Effect[TaskRun | None]):
    """A fact, strongly consistent.

    A completed one may come from a cache unless it has to be `fresh`: it stays completed, but for
    a rerun.
    """

    run_id: str
    index: int
    fresh: bool = False


@fast_dataclass(frozen=True, slots=True)
class ReadRecentTask(Effect[TaskRun | None]):
    """A fact as it is or was a moment ago, at half the price.

    Use it only as what a conditional write has `seen`: if that succeeds, it was the stored one.
    """

    run_id: str
    index: int


@fast_dataclass(frozen=True, slots=True)
class ReadTasks(Effect[dict[int, TaskRun]]):
    """Those of `indexes` that have a fact, as ReadTask reads them, in no particular order."""

    run_id: str
    indexes: tuple[int, ...]
    fresh: bool = False


@fast_dataclass(frozen=True, slots=True)
class ReadPage(Effect[dict[int, TaskRun]]):
    """The facts of a page, strongly consistent, read from the last index to the first."""

    run_id: str
    page: int


@fast_dataclass(frozen=True, slots=True)
class WriteTask(Effect[TaskRun | None]):
    """Write a fact if `seen` is stored; `seen` None: if none is stored.

    The answer is None if it was written, else the fact that is stored instead.
    """

    run_id: str
    index: int
    new: TaskRun
    seen: TaskRun | None


@fast_dataclass(frozen=True, slots=True)
class ReadOutputs(Effect[dict[int, Any]]):
    """Outputs that are stored separately from their facts; `refs` are their names by index.

    The answer leaves out what is not stored (any more).
    """

    run_id: str
    refs: dict[int, str]


@fast_dataclass(frozen=True, slots=True)
class WriteOutput(Effect[None]):
    """Store an output separately under its name, before the fact that points to it is written."""

    run_id: str
    index: int
    ref: str
    output: Any


@fast_dataclass(frozen=True, slots=True)
class HasPageTimer(Effect[bool]):
    """Whether a timer of this page is due later than `after` and not later than `until`.

    A timer that was sent may be answered from a cache.
    """

    run_id: str
    page: int
    after: float
    until: float


@fast_dataclass(frozen=True, slots=True)
class WritePageTimer(Effect[None]):
    """Record a timer that is due at `due`.

    Nothing is written if one is recorded that is due later than `after` and not later than `due`.
    """

    run_id: str
    page: int
    due: float
    after: float


@fast_dataclass(frozen=True, slots=True)
class SendPageTimer(Effect[None]):
    """Have the timer delivered at `timer.due`, or up to two seconds later."""

    timer: PageTimer


@fast_dataclass(frozen=True, slots=True)
class SendFanOut(Effect[None]):
    """Have the rest of a fan-out delivered soon."""

    fan_out: FanOut


@fast_dataclass(frozen=True, slots=True)
class SendOverdueCheck(Effect[None]):
    """Put the check into the tracker's queue, behind the updates that already wait there."""

    check: OverdueCheck


@fast_dataclass(frozen=True, slots=True)
class Publish(Effect[None]):
    """Put the messages on the bus as cerebro."""

    messages: tuple[Message, ...]

"""Effects: everything a program may ask of its surroundings, as data.

A program is a coroutine: it awaits one effect at a time, and the shell that drives it sends the answer. It performs nothing
itself, so it runs unchanged on a laptop, on AWS and in the simulator, and it may crash between any two effects.

Invariant: a program tolerates being stopped after any effect and being run again from its start with the same input.
"""

from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cerebro.core.graph.graph import Graph, Head
from cerebro.core.model import CachedResult, Plan, Run, RunSnapshot, TaskRun
from cordyna_core.contract.base import Message
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.state_updates import ServerState

Answer_co = TypeVar("Answer_co", covariant=True)


class Effect(Generic[Answer_co]):
    """One request; awaiting it gives the answer. Whoever drives the program performs it."""

    __slots__ = ()

    def __await__(self) -> Generator["Effect[Any]", Any, Answer_co]:
        answer: Answer_co = yield self
        return answer


Program = Coroutine[Effect[Any], Any, None]
"""What a reaction is: `program.send(None)` gives its first effect, `program.send(answer)` the next one."""


@dataclass(frozen=True, slots=True)
class Now(Effect[float]):
    """UTC seconds. Read where it is needed: a program may have been paused for minutes."""


@dataclass(frozen=True, slots=True)
class ReadRunSnapshot(Effect[RunSnapshot | None]):
    """A run with its plan. May be remembered: only what never changes may be used of it."""

    run_id: str


@dataclass(frozen=True, slots=True)
class ReadRun(Effect[Run | None]):
    """Strongly consistent."""

    run_id: str


@dataclass(frozen=True, slots=True)
class WriteRun(Effect[Run | None]):
    """None when written, else the Run that is there instead. `seen` None: only if there is none."""

    new: Run
    seen: Run | None


@dataclass(frozen=True, slots=True)
class WritePlan(Effect[None]):
    """Writing a plan again refreshes its expiry."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class ClaimKey(Effect[str]):
    """The task that holds this idempotency key; the first to claim it does."""

    key: str
    task: str


@dataclass(frozen=True, slots=True)
class ReadGraph(Effect[Graph]):
    """As of now: its head is read strongly, its declarations may be remembered by version."""


@dataclass(frozen=True, slots=True)
class WriteDeclaration(Effect[None]):
    """Put a declaration under its version; nothing refers to it before the head does."""

    version: str
    declared: ServerDeclared


@dataclass(frozen=True, slots=True)
class WriteHead(Effect[bool]):
    """Whether the graph's head was `seen` and is `new` now."""

    new: Head
    seen: Head


@dataclass(frozen=True, slots=True)
class NoteServer(Effect[None]):
    """A sign of life, and what the server says of itself (None: nothing new)."""

    server: str
    state: ServerState | None
    at: float


@dataclass(frozen=True, slots=True)
class ApplyCrons(Effect[None]):
    """Make the schedules be those that the graph's head names."""

    generation: int


@dataclass(frozen=True, slots=True)
class NoteMissedAck(Effect[None]):
    """A server did not acknowledge a command in time."""

    server: str
    at: float


@dataclass(frozen=True, slots=True)
class ReadCachedResult(Effect[CachedResult | None]):
    """The newest result of a task that was made from the same."""

    task: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class WriteCachedResult(Effect[None]):
    """A newer result is not overwritten by an older one."""

    task: str
    fingerprint: str
    last: CachedResult


@dataclass(frozen=True, slots=True)
class ReadTick(Effect[float | None]):
    """The nominal time of the last tick of a task that fired."""

    task: str


@dataclass(frozen=True, slots=True)
class WriteTick(Effect[None]):
    """A later tick is not overwritten by an earlier one."""

    task: str
    nominal: float


@dataclass(frozen=True, slots=True)
class ReadTask(Effect[TaskRun | None]):
    """Strongly consistent."""

    run_id: str
    index: int


@dataclass(frozen=True, slots=True)
class ReadTasks(Effect[dict[int, TaskRun]]):
    """Those of `indexes` that have a fact, strongly consistent, in no particular order."""

    run_id: str
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadPage(Effect[dict[int, TaskRun]]):
    """Strongly consistent, read from the last index to the first."""

    run_id: str
    page: int


@dataclass(frozen=True, slots=True)
class WriteTask(Effect[TaskRun | None]):
    """None when written, else the TaskRun that is there instead. `seen` None: only if there is none."""

    run_id: str
    index: int
    new: TaskRun
    seen: TaskRun | None


@dataclass(frozen=True, slots=True)
class ReadOutputs(Effect[dict[int, Any]]):
    """Outputs that are kept apart from their facts because of their size."""

    run_id: str
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WriteOutput(Effect[None]):
    """The output of an attempt, kept apart; written before the fact that points to it."""

    run_id: str
    index: int
    attempt: int
    output: Any


@dataclass(frozen=True, slots=True)
class HasPageTimer(Effect[bool]):
    """Whether a ring for this page is due after `after` and not after `until`. A ring once sent may be remembered."""

    run_id: str
    page: int
    after: float
    until: float


@dataclass(frozen=True, slots=True)
class WritePageTimer(Effect[None]):
    """Note that a ring is due at `due`, unless one is noted that is due after `after` and not after `due`."""

    run_id: str
    page: int
    due: float
    after: float


@dataclass(frozen=True, slots=True)
class SendPageTimer(Effect[None]):
    """Have the ring delivered at `ring.due`, or up to a second or two later."""

    ring: "PageTimer"


@dataclass(frozen=True, slots=True)
class SendFanOut(Effect[None]):
    """Have the walk delivered soon."""

    walk: "FanOut"


@dataclass(frozen=True, slots=True)
class Publish(Effect[None]):
    """Put the messages on the bus as cerebro."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class PageTimer:
    """The timer's message to a page's guardian. It is a hint: never cancelled, and a stale one finds nothing to do."""

    run_id: str
    page: int
    due: float

    @property
    def id(self) -> str:
        return f"ring:{self.page}:{self.due:.3f}"


@dataclass(frozen=True, slots=True)
class FanOut:
    """Cerebro's message to itself: go on with a wide fan-out. `index` None: from the roots; `start`: the place among its downstream."""

    run_id: str
    index: int | None
    start: int
    cause: str
    repair: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """A cron's message: its nominal time has come."""

    task: str
    nominal: float

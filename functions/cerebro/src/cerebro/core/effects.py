"""Effects: everything a program may ask of the world, as data.

A program is a generator: it yields one effect at a time and is sent the answer. It does nothing itself, so it runs the
same on a laptop, on AWS and in the simulator, and it may crash between any two effects.

Law: a program tolerates being stopped after any effect and being run again from the start with the same input.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from cerebro.core.graph import Head
from cerebro.core.model import Last, Plan, Run, TaskRun
from cordyna_core.contract.declared import ServerDeclared
from cordyna_core.contract.message import Message
from cordyna_core.contract.state_updates import ServerState


@dataclass(frozen=True, slots=True)
class Now:
    """-> float: UTC seconds. Read where it is needed: a program may have been paused for minutes."""


@dataclass(frozen=True, slots=True)
class ReadPinned:
    """-> Pinned | None: a run with its plan. May be remembered: only what never changes may be used of it."""

    run_id: str


@dataclass(frozen=True, slots=True)
class ReadRun:
    """-> Run | None, strongly consistent."""

    run_id: str


@dataclass(frozen=True, slots=True)
class WriteRun:
    """-> None when written, else the Run that is there instead. `seen` None: only if there is none."""

    new: Run
    seen: Run | None


@dataclass(frozen=True, slots=True)
class WritePlan:
    """-> None. Writing a plan again refreshes its expiry."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class ClaimKey:
    """-> str: the task that holds this idempotency key; the first to claim it does."""

    key: str
    task: str


@dataclass(frozen=True, slots=True)
class ReadGraph:
    """-> Graph, as of now: its head is read strongly, its declarations may be remembered by version."""


@dataclass(frozen=True, slots=True)
class WriteDeclaration:
    """-> None. Put a declaration under its version; nothing refers to it before the head does."""

    version: str
    declared: ServerDeclared


@dataclass(frozen=True, slots=True)
class WriteHead:
    """-> bool: whether the graph's head was `seen` and is `new` now."""

    new: Head
    seen: Head


@dataclass(frozen=True, slots=True)
class NoteServer:
    """-> None: a sign of life, and what the server says of itself (None: nothing new)."""

    server: str
    state: ServerState | None
    at: float


@dataclass(frozen=True, slots=True)
class ApplyCrons:
    """-> None: make the schedules be those that the graph's head names."""

    generation: int


@dataclass(frozen=True, slots=True)
class NoteMissed:
    """-> None: a server did not acknowledge a command in time."""

    server: str
    at: float


@dataclass(frozen=True, slots=True)
class ReadLast:
    """-> Last | None: the newest result of a task that was made from the same."""

    task: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class WriteLast:
    """-> None. A newer result is not overwritten by an older one."""

    task: str
    fingerprint: str
    last: Last


@dataclass(frozen=True, slots=True)
class ReadTick:
    """-> float | None: the nominal time of the last tick of a task that fired."""

    task: str


@dataclass(frozen=True, slots=True)
class WriteTick:
    """-> None. A later tick is not overwritten by an earlier one."""

    task: str
    nominal: float


@dataclass(frozen=True, slots=True)
class ReadTask:
    """-> TaskRun | None, strongly consistent."""

    run_id: str
    index: int


@dataclass(frozen=True, slots=True)
class ReadTasks:
    """-> dict[int, TaskRun]: those of `indexes` that have a fact, strongly consistent, in no particular order."""

    run_id: str
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadPage:
    """-> dict[int, TaskRun], strongly consistent, read from the last index to the first."""

    run_id: str
    page: int


@dataclass(frozen=True, slots=True)
class WriteTask:
    """-> None when written, else the TaskRun that is there instead. `seen` None: only if there is none."""

    run_id: str
    index: int
    new: TaskRun
    seen: TaskRun | None


@dataclass(frozen=True, slots=True)
class ReadOutputs:
    """-> dict[int, Any]: outputs that are kept apart from their facts because of their size."""

    run_id: str
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WriteOutput:
    """-> None. The output of an attempt, kept apart; written before the fact that points to it."""

    run_id: str
    index: int
    attempt: int
    output: Any


@dataclass(frozen=True, slots=True)
class IsGuarded:
    """-> bool: whether a ring for this page is due after `after` and not after `until`. A ring once sent may be remembered."""

    run_id: str
    page: int
    after: float
    until: float


@dataclass(frozen=True, slots=True)
class WriteGuard:
    """-> None: note that a ring is due at `due`, unless one is noted that is due after `after` and not after `due`."""

    run_id: str
    page: int
    due: float
    after: float


@dataclass(frozen=True, slots=True)
class SendRing:
    """-> None: have the ring delivered at `ring.due`, or up to a second or two later."""

    ring: "Ring"


@dataclass(frozen=True, slots=True)
class SendWalk:
    """-> None: have the walk delivered soon."""

    walk: "Walk"


@dataclass(frozen=True, slots=True)
class Publish:
    """-> None: put the messages on the bus as cerebro."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Ring:
    """The timer's message to a page's guardian. It is a hint: never cancelled, and a stale one finds nothing to do."""

    run_id: str
    page: int
    due: float

    @property
    def id(self) -> str:
        return f"ring:{self.page}:{self.due:.3f}"


@dataclass(frozen=True, slots=True)
class Walk:
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


T = TypeVar("T")

Steps = Generator[Any, Any, T]
"""A part of a program that finds something out: it yields effects, is sent their answers, and returns a T."""

Program = Steps[None]
"""What a reaction is."""

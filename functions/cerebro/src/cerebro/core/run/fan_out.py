"""Fan-out: dispatches what a completion makes ready, in parts whose size and time are bounded.

A part is what one message dispatches: FAN_OUT_WIDTH tasks at most, begun within PART_MAX_S. The
message for the next FAN_OUT_WIDTH is sent before this one dispatches anything, so the parts of a
wide fan-out are dispatched side by side. What is left when the time is over follows in a message of
its own. That is sent last: if the handler crashes before, its input dispatches all of it again.

Commands leave in groups, and a group leaves as soon as it is full: the clocks of its facts run.

Joins and reused results have no body: they complete here, and the part continues with what is
downstream of them, or sends a message for it if that is wide.

Invariant: a part examines at least as many tasks as a group has, so a fan-out ends however slow its
calls are; and what it leaves is in a message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cerebro.core.effects import Now, ReadTasks, SendFanOut
from cerebro.core.internal_messages import FanOut
from cerebro.core.model.plan import Plan, page_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.core.run.command_groups import COMMANDS_PER_GROUP, send_group
from cerebro.core.run.dispatch import complete_at_once, put_first_attempt, upstreams_completed
from cerebro.core.run.own_attempts import is_own
from cerebro.core.run.page_timers import arm_page_check
from cerebro.core.run.run_access import read_run
from cordyna_core.contract.frozen import fast_dataclass

FAN_OUT_WIDTH: Final = 250
"""Downstream tasks examined for one message; the others follow in messages of their own."""

PART_MAX_S: Final = 8.0
"""After this time a part begins no further task, except the first ones, a group.

A handler keeps 15 s for a message (cerebro.lambdas.runtime): the rest is for the last task and
group.
"""

FACTS_PER_READ: Final = 1_000
"""Facts that a repair reads at once, about 2 MB; a page may have 64,000 tasks downstream."""


@fast_dataclass(frozen=True, slots=True)
class Dispatched:
    """What a part did.

    `run` as it was read before the last commands were sent; None: none were. `rest` are the
    candidates that were not examined, because the time was over.
    """

    run: Run | None
    rest: Sequence[int]


async def fan_out(snapshot: RunSnapshot, message: FanOut, known: dict[int, TaskRun]) -> Run | None:
    """Dispatch what is ready downstream of `message.index` (None: the roots), from `start` on.

    Returns the run as it was read before the last commands were sent; None: none were.
    """
    plan = snapshot.plan
    candidates = plan.roots if message.index is None else plan.downstream[message.index]
    # One that begins elsewhere is what another part has left: the next ones have a message.
    is_whole = message.start % FAN_OUT_WIDTH == 0
    end = message.start - message.start % FAN_OUT_WIDTH + FAN_OUT_WIDTH
    if is_whole and end < len(candidates):
        await SendFanOut(replace(message, start=end))
    part = candidates[message.start : end]
    dispatched = await dispatch_ready(
        snapshot, part, cause=message.cause, known=known, repair=message.repair
    )
    if dispatched.rest:
        start = message.start + len(part) - len(dispatched.rest)
        await SendFanOut(replace(message, start=start))
    return dispatched.run


def is_wide(plan: Plan, index: int) -> bool:
    """Return whether what is downstream of a task is dispatched by messages of its own."""
    return len(plan.downstream[index]) > FAN_OUT_WIDTH


async def dispatch_ready(
    snapshot: RunSnapshot,
    candidates: Sequence[int],
    *,
    cause: str,
    known: dict[int, TaskRun],
    repair: bool = False,
) -> Dispatched:
    """Dispatch those of `candidates` that wait and whose upstreams have all completed.

    `known`: completed facts that were read already; they stay completed, so they are not read
    again. `repair`: most candidates have been dispatched, so their facts are read first, a part of
    them at once.
    """
    if not candidates:
        return Dispatched(None, ())
    part = _Part(snapshot, cause, known, repair, await Now(), {}, set())
    rest = candidates
    while rest and (rest is candidates or not await part.is_over()):
        examined = rest[:FACTS_PER_READ] if repair else rest
        waiting = await _still_waiting(snapshot, examined, cause) if repair else examined
        left = await part.dispatch(waiting)
        rest = rest[rest.index(left[0]) if left else len(examined) :]
    await part.finish()
    return Dispatched(part.run, rest)


@dataclass(slots=True)
class _Span:
    """Tasks that are downstream of a join (None: the candidates), and how many were examined."""

    join: int | None
    tasks: Sequence[int]
    examined: int = 0


@dataclass(slots=True)
class _Part:
    """A part that is under way. `left` is what it had no time for downstream of joins."""

    snapshot: RunSnapshot
    cause: str
    known: dict[int, TaskRun]
    repair: bool
    began_at: float
    group: dict[int, TaskRun]
    dispatched: set[int]
    """Two upstreams without a body may both lead to one task: it is sent once."""
    run: Run | None = None
    examined: int = 0
    last_completed: int | None = None
    has_clock: bool = False
    left: Sequence[_Span] = ()

    async def is_over(self) -> bool:
        """Return whether no further task is begun."""
        return await Now() - self.began_at > PART_MAX_S

    async def dispatch(self, candidates: Sequence[int]) -> Sequence[int]:
        """Dispatch what is ready. Returns those candidates for which there was no time.

        What a join leads to comes before the next candidate, so few joins are left with them.
        """
        snapshot, known, tasks = self.snapshot, self.known, self.snapshot.plan.tasks
        spans = [_Span(None, candidates)]
        while spans:
            span = spans[-1]
            if span.examined == len(span.tasks):
                spans.pop()
                continue
            if self.examined >= COMMANDS_PER_GROUP and await self.is_over():
                self.left = [*self.left, *spans[1:]]
                return candidates[spans[0].examined :]
            index = span.tasks[span.examined]
            task = tasks[index]
            span.examined += 1
            self.examined += 1
            if index in self.dispatched:
                continue
            if not await upstreams_completed(snapshot, task.awaits, known):
                continue
            if task.is_join or task.reuses is not None:
                if await self._complete(index):
                    spans.append(_Span(index, snapshot.plan.downstream[index]))
                continue
            own = await put_first_attempt(snapshot, index, known, cause=self.cause)
            if own is not None:
                self.group[index] = own
                self.dispatched.add(index)
                self.has_clock = self.has_clock or own.is_live
            if len(self.group) == COMMANDS_PER_GROUP:
                await self._send()
        return ()

    async def _complete(self, index: int) -> bool:
        """Complete a join, or a task that reuses a result. Returns whether this part continues.

        If what is downstream is wide, a message does.
        """
        self.last_completed = index
        if not await complete_at_once(self.snapshot, index, self.known, cause=self.cause):
            return False
        if not is_wide(self.snapshot.plan, index):
            return True
        await SendFanOut(self._message(index, 0))
        return False

    def _message(self, join: int | None, start: int) -> FanOut:
        return FanOut(self.snapshot.run.id, join, start, self.cause, self.repair)

    async def _send(self) -> None:
        self.run = await send_group(self.snapshot, self.group, self.known, cause=self.cause)
        self.group = {}

    async def finish(self) -> None:
        """Send the last group, and messages for what is left downstream of joins."""
        if self.group:
            await self._send()
        for span in self.left:
            if span.examined < len(span.tasks):
                await SendFanOut(self._message(span.join, span.examined))
        if self.last_completed is not None and not self.has_clock:
            await _check_after_join(self.snapshot.run.id, page_of(self.last_completed))


async def _still_waiting(
    snapshot: RunSnapshot, candidates: Sequence[int], cause: str
) -> Sequence[int]:
    run = await read_run(snapshot.run.id)
    # What a rerun lets wait may still be cached as completed.
    stored = await ReadTasks(run.id, tuple(candidates), fresh=run.reruns > 0)
    # A join that this very cause completed stays: it may have crashed before it continued.
    return [
        index
        for index in candidates
        if (fact := stored.get(index)) is None
        or fact.is_waiting
        or fact.cause == cause
        or is_own(fact, cause)
    ]


async def _check_after_join(run_id: str, page: int) -> None:
    """Arm a page check if the run is failing.

    Joins and reused results have no deadline, nor has an attempt that expired before its command
    left. If nothing was dispatched beside them in a failing run, no other timer would find out that
    nothing is alive, and nothing would end the run.
    """
    run = await read_run(run_id)
    if run.failing and not run.is_over:
        await arm_page_check(run_id, page)

"""Recording: what a home knows about a run that is over or goes on: what was heard, in which order and when, and what was decided.

Law: what came from outside (commands, servers' words, an engine that began anew) is told apart from what cerebro made of
it. What cerebro said twice it said once. A clock that ran out comes from nobody: of it only the moment is noted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cerebro.core.model import Run, RunSnapshot, TaskRun
from cerebro.embedded.storage.home import DiskHome, MemoryHome
from cerebro.handlers import queries
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import InvokeTask, RunTask
from cordyna_core.contract.envelope import Envelope, MalformedEvent, open_envelope
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunStateChanged,
    ServerStateChanged,
)
from cordyna_core.errors import UserError

QUIET: Final = "quiet"
"""The cause of an end that the embedded engine looked for itself, because all was quiet."""


@dataclass(frozen=True, slots=True)
class EventReceived:
    """An event from outside, and when cerebro heard it (as exactly as it can be told)."""

    at: float
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A guardian decided something: the id of what it said."""

    at: float
    told: str


@dataclass(frozen=True, slots=True)
class EngineStarted:
    """Another engine began to drive the home, with these servers. What the one before had in memory was gone."""

    at: float
    servers: frozenset[str]


@dataclass(frozen=True, slots=True)
class IdleCheck:
    """The engine looked for the end of the run, because all was quiet."""

    at: float


Moment = EventReceived | TimerFired | EngineStarted | IdleCheck


@dataclass(frozen=True, slots=True)
class Decided:
    """Something that cerebro said about the run."""

    at: float
    id: str
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A run as it was. `reused`: the outputs that it took from other runs, by (run, index). `until`: so far is known what passed."""

    snapshot: RunSnapshot
    run: Run
    facts: Mapping[int, TaskRun]
    reused: Mapping[tuple[str, int], Any]
    moments: Sequence[Moment]
    decided: Sequence[Decided]
    until: float


def recording_of(home: MemoryHome | DiskHome, run_id: str) -> Recording:
    """Raises NotFound, and UserError when what asked for the run was not kept."""
    run, snapshot, facts = queries.read(home.store, run_id)
    own = home.journal.events(run_id, 0)
    seqs = {event.seq for event in own}
    around = home.journal.events(None, own[0].seq - 1) if own else []
    envelopes = _since_it_began(
        list(
            _opened(event.text for event in around if event.seq in seqs or _is_beside(event.text))
        ),
        run_id,
    )
    decided = list(_decided(envelopes))
    return Recording(
        snapshot=snapshot,
        run=run,
        facts=facts,
        reused=_reused(home, snapshot),
        moments=list(_moments(envelopes, decided, snapshot)),
        decided=decided,
        until=max(
            each.time.timestamp()
            for each in (*envelopes, *_opened(event.text for event in around[-1:]))
        ),
    )


def _since_it_began(envelopes: list[Envelope], run_id: str) -> list[Envelope]:
    """From the invocation on that began the run: the same may have been asked for, and refused, before."""
    causes = (
        _cause(each.message)
        for each in envelopes
        if isinstance(each.message, RunStateChanged) and each.message.run_id == run_id
    )
    began_by = next(causes, None)
    for place, envelope in enumerate(envelopes):
        if envelope.id == began_by and isinstance(envelope.message, InvokeTask):
            return envelopes[place:]
    raise UserError(
        f"run {run_id} cannot be replayed: its events were not kept.",
        next=f"dyna timeline {run_id}",
    )


def _is_beside(text: str) -> bool:
    """Whether an event that names no run may be of concern: looked for in the text, because there are many."""
    return (
        '"detail-type":"ServerStateChanged"' in text or '"detail-type":"InvocationRejected"' in text
    )


def _opened(texts: Iterable[str]) -> Iterator[Envelope]:
    for text in texts:
        try:
            yield open_envelope(text)
        except MalformedEvent:
            continue  # it decided nothing


def _cause(message: Message) -> str | None:
    return message.meta.cause if message.meta else None


def _decided(envelopes: Sequence[Envelope]) -> Iterator[Decided]:
    heard = {each.id for each in envelopes if each.source != CEREBRO}
    told: set[str] = set()
    for envelope in envelopes:
        message = envelope.message
        is_of_another = isinstance(message, InvocationRejected) and message.event_id not in heard
        if envelope.source == CEREBRO and envelope.id not in told and not is_of_another:
            told.add(envelope.id)
            yield Decided(envelope.time.timestamp(), envelope.id, message)


def _moments(
    envelopes: Sequence[Envelope], decided: Sequence[Decided], snapshot: RunSnapshot
) -> Iterator[Moment]:
    heard_at, firsts = _times(decided, snapshot), {each.id: each for each in decided}
    now = 0.0
    starting: set[str] = set()
    for envelope in envelopes:
        message = envelope.message
        if starting and not _is_ready(message):
            yield EngineStarted(now, frozenset(starting))
            starting.clear()
        now = max(now, heard_at.pop(envelope.id, 0.0) or envelope.time.timestamp())
        if isinstance(message, ServerStateChanged):
            if message.state == "ready":
                starting.add(message.server)
        elif envelope.source != CEREBRO:
            yield EventReceived(now, envelope)
        elif (first := firsts.pop(envelope.id, None)) is not None:
            yield from _of_no_input(first, now)
    if starting:
        yield EngineStarted(now, frozenset(starting))


def _is_ready(message: Message) -> bool:
    return isinstance(message, ServerStateChanged) and message.state == "ready"


def _of_no_input(decided: Decided, at: float) -> Iterator[Moment]:
    cause = _cause(decided.message) or ""
    if cause == QUIET:
        yield IdleCheck(at)
    elif cause.startswith("ring:"):
        yield TimerFired(at, decided.id)


def _times(decided: Sequence[Decided], snapshot: RunSnapshot) -> dict[str, float]:
    """When each input was heard, by its id: as soon as the first thing was decided because of it."""
    times: dict[str, float] = {}
    for each in decided:
        message, at = each.message, each.at
        if isinstance(message, RunTask):
            # To the moment: the clock for acknowledging began when it was decided.
            at = (
                message.ack_by.timestamp()
                - snapshot.plan.tasks[snapshot.plan.index_of[message.task]].ack_timeout_s
            )
        cause = _cause(message)
        if cause is not None:
            times[cause] = min(at, times.get(cause, at))
    return times


def _reused(home: MemoryHome | DiskHome, snapshot: RunSnapshot) -> dict[tuple[str, int], Any]:
    found = {}
    for task in snapshot.plan.tasks:
        if task.reuses is not None and task.reuses.output_apart:
            last = task.reuses
            found[last.run_id, last.index] = home.store.read_outputs(last.run_id, [last.index]).get(
                last.index
            )
    return found

"""Recording: the history of a run in the event log of its home: inputs with times, decisions.

Invariant: inputs (commands, servers' updates, an engine that started) are kept apart from cerebro's
decisions. A message that cerebro published twice counts once. An expired deadline has no event of
its own: only the time at which it decided something is known.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.embedded.storage.home import Home
from cerebro.handlers import queries
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import InvokeTask, RunTask
from cordyna_core.contract.envelope import Envelope, MalformedEvent, open_envelope
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.incidents import IncidentMessage
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunStateChanged,
    ServerStateChanged,
)
from cordyna_core.errors import UserError

RELOADED: Final = "reloaded"
"""The cause of a state update of a server that was loaded again while the engine ran."""

QUIET: Final = "quiet"
"""The cause of a run's end that the embedded engine decided because no message was waiting."""


@dataclass(frozen=True, slots=True)
class EventReceived:
    """An input event, and when cerebro processed it, as exactly as the log shows."""

    at: float
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A page timer that decided something: the id of the first message that it published."""

    at: float
    message_id: str


@dataclass(frozen=True, slots=True)
class EngineStarted:
    """Another engine started to drive the home with these servers; its timers start empty."""

    at: float
    servers: frozenset[str]


@dataclass(frozen=True, slots=True)
class IdleCheck:
    """The engine checked whether the run had ended, because no message was waiting."""

    at: float


Moment = EventReceived | TimerFired | EngineStarted | IdleCheck


@dataclass(frozen=True, slots=True)
class Decided:
    """A message that cerebro published about the run."""

    at: float
    id: str
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A run's history.

    `reused` holds the large outputs of reused results, by (index, name). `until` is the time of the
    last event that the log holds.
    """

    snapshot: RunSnapshot
    run: Run
    facts: Mapping[int, TaskRun]
    reused: Mapping[tuple[int, str], Any]
    moments: Sequence[Moment]
    decided: Sequence[Decided]
    until: float


def recording_of(home: Home, run_id: str) -> Recording:
    """Read the history of a run. Raises NotFound, and UserError if its invocation was not kept."""
    run, snapshot, facts = queries.read_all(home.store, run_id)
    own = home.event_log.events(run_id, 0)
    seqs = {event.seq for event in own}
    later = home.event_log.events(None, own[0].seq - 1) if own else []
    envelopes = _from_invocation(
        list(
            _opened(event.text for event in later if event.seq in seqs or _may_matter(event.text))
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
            envelope.time.timestamp()
            for envelope in (*envelopes, *_opened(event.text for event in later[-1:]))
        ),
    )


def _from_invocation(envelopes: list[Envelope], run_id: str) -> list[Envelope]:
    """Return the envelopes from the accepted invocation on.

    An earlier one may have been rejected.
    """
    causes = (
        _cause(envelope.message)
        for envelope in envelopes
        if isinstance(envelope.message, RunStateChanged) and envelope.message.run_id == run_id
    )
    invocation_id = next(causes, None)
    for position, envelope in enumerate(envelopes):
        if envelope.id == invocation_id and isinstance(envelope.message, InvokeTask):
            return envelopes[position:]
    raise UserError(
        f"run {run_id} cannot be replayed: its events were not kept.",
        why="the event log of this home does not contain the invocation that started it",
        next=f"dyna timeline {run_id}",
    )


def _may_matter(text: str) -> bool:
    """Return whether an event that names no run may matter.

    Searches the text: parsing all is too slow.
    """
    return (
        '"detail-type":"ServerStateChanged"' in text or '"detail-type":"InvocationRejected"' in text
    )


def _opened(texts: Iterable[str]) -> Iterator[Envelope]:
    for text in texts:
        try:
            yield open_envelope(text)
        except MalformedEvent:
            continue  # A malformed event decided nothing.


def _cause(message: Message) -> str | None:
    return message.meta.cause if message.meta else None


def _decided(envelopes: Sequence[Envelope]) -> Iterator[Decided]:
    inputs = {envelope.id for envelope in envelopes if envelope.source != CEREBRO}
    published: set[str] = set()
    for envelope in envelopes:
        message = envelope.message
        # An incident names a run, but is decided about its cause, from the ends of many runs.
        is_foreign = isinstance(message, IncidentMessage) or (
            isinstance(message, InvocationRejected) and message.event_id not in inputs
        )
        if envelope.source == CEREBRO and envelope.id not in published and not is_foreign:
            published.add(envelope.id)
            yield Decided(envelope.time.timestamp(), envelope.id, message)


def _moments(
    envelopes: Sequence[Envelope], decided: Sequence[Decided], snapshot: RunSnapshot
) -> Iterator[Moment]:
    processed_at = _times(decided, snapshot)
    firsts = {decision.id: decision for decision in decided}
    now = 0.0
    starting: set[str] = set()
    for envelope in envelopes:
        message = envelope.message
        if starting and not _is_ready(message):
            yield EngineStarted(now, frozenset(starting))
            starting.clear()
        now = max(now, processed_at.pop(envelope.id, 0.0) or envelope.time.timestamp())
        if isinstance(message, ServerStateChanged):
            if _is_ready(message):
                starting.add(message.server)
        elif envelope.source != CEREBRO:
            yield EventReceived(now, envelope)
        elif (first := firsts.pop(envelope.id, None)) is not None:
            yield from _without_input(first, now)
    if starting:
        yield EngineStarted(now, frozenset(starting))


def _is_ready(message: Message) -> bool:
    """Return whether a server became ready with an engine, and was not reloaded."""
    return (
        isinstance(message, ServerStateChanged)
        and message.state == "ready"
        and _cause(message) != RELOADED
    )


def _without_input(decided: Decided, at: float) -> Iterator[Moment]:
    cause = _cause(decided.message) or ""
    if cause == QUIET:
        yield IdleCheck(at)
    elif cause.startswith(("ring:", "overdue:")):
        yield TimerFired(at, decided.id)


def _times(decided: Sequence[Decided], snapshot: RunSnapshot) -> dict[str, float]:
    """Return when each input was processed, by its id.

    That is the time of the first decision that it caused.
    """
    times: dict[str, float] = {}
    for decision in decided:
        message, at = decision.message, decision.at
        if isinstance(message, RunTask):
            # Exact: the acknowledgement clock started at the decision.
            at = (
                message.ack_by.timestamp()
                - snapshot.plan.tasks[snapshot.plan.index_of[message.task]].ack_timeout_s
            )
        cause = _cause(message)
        if cause is not None:
            times[cause] = min(at, times.get(cause, at))
    return times


def _reused(home: Home, snapshot: RunSnapshot) -> dict[tuple[int, str], Any]:
    refs = {
        index: task.reuses.output_ref
        for index, task in enumerate(snapshot.plan.tasks)
        if task.reuses is not None and task.reuses.output_ref is not None
    }
    outputs = home.store.read_outputs(snapshot.run.id, refs)
    return {(index, refs[index]): output for index, output in outputs.items()}

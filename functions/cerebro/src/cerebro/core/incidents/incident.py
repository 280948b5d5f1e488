"""Incident: one cause that needs its owner, as it is stored, and how it opens, changes and closes.

Theory of operation. What happened is handed over as evidence, with a key: a task failed for good in
a run, a deadline passed, a tick was missed, a server was silent. The first evidence opens the
incident, and the next ones are counted. The same evidence counts once, however often it arrives
(`seen`), even after the incident was closed: a message that is delivered again opens nothing.

An incident closes when its task completes in an attempt that was dispatched after it had opened, or
when all that failed has been healed: what failed is in `failing` until it completes in its run.

What a write opens, changes or closes is to be published, and the write stores that (`unpublished`).
It is cleared after the publication. Until then, every program that reads the incident publishes it
first, so a handler that crashes in between loses nothing, and an opening is published before the
closing.

Invariant: a cause has one incident, which is open or closed; `version` steps with every write, and
a write is conditional on it. No write replaces what is not published yet (docs/rules.md, rule 19).
"""

from dataclasses import replace
from typing import Final, Literal, get_args

from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.frozen import fast_dataclass
from cordyna_core.contract.incidents import IncidentKind, ServerKind, TaskKind, incident_id

CHANGED_INTERVAL_S: Final = 1800.0
"""More of the same is published at most this often."""

SEEN_MAX: Final = 100
"""The last pieces of evidence whose repetition is recognized, and the failures to be healed."""

BLOCKED_MAX: Final = 100
"""What waits for an incident is named up to this number: an event has room for about 1,000."""

COMMANDS_MAX: Final = 100

SERVER_KINDS: Final[frozenset[IncidentKind]] = frozenset(get_args(ServerKind))
TASK_KINDS: Final[tuple[IncidentKind, ...]] = get_args(TaskKind)


@fast_dataclass(frozen=True, slots=True)
class Failure:
    """A task run that shows the cause. Attempt 0: it has not completed in time."""

    run_id: str
    index: int
    attempt: int

    @property
    def key(self) -> str:
        """The key of the evidence that it is."""
        return f"{self.run_id}:{self.index}:{self.attempt}"

    def is_shown_by(self, key: str | None) -> bool:
        """Return whether evidence with this key is of the same task run, in whichever attempt."""
        return key is not None and key.rpartition(":")[0] == f"{self.run_id}:{self.index}"


@fast_dataclass(frozen=True, slots=True)
class Blocked:
    """A task that waits for the cause. `due`: UTC seconds."""

    task: str
    server: str
    owner: str | None
    due: float | None = None


@fast_dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Something that happened and needs its owner.

    Fields:
        key: names it among all that happens to this cause.
        failure: the task run that shows it, if there is one.
    """

    kind: IncidentKind
    key: str
    task: str | None
    server: str | None
    owner: str | None
    reason: str | None = None
    error: ErrorDescription | None = None
    run_id: str | None = None
    failure: Failure | None = None
    blocked: tuple[Blocked, ...] = ()
    traceparent: str | None = None

    @property
    def incident(self) -> str:
        return incident_id(self.kind, self.subject)

    @property
    def subject(self) -> str:
        """The task or the server that is the cause."""
        return _subject_of(self)


@fast_dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The state of one cause.

    Fields:
        episode: how often it was opened; a part of the ids of what is published.
        times: how often it happened since it was opened.
        published_at: when it was last published.
        is_dirty: whether it has changed since.
        dirty_by: the key of the evidence that changed it first since, and has that published.
        closed_by: the input that closed it last, also if it has been opened again.
        seen: the keys of the last evidence.
        failing: what failed and has not completed since.
        commands: the ids of the last commands that were applied.
        unpublished: what the last write made, if it is not known to be published.
    """

    id: str
    kind: IncidentKind
    task: str | None
    server: str | None
    owner: str | None
    opened_at: float
    opened_by: str
    published_at: float
    reason: str | None = None
    error: ErrorDescription | None = None
    run_id: str | None = None
    traceparent: str | None = None
    blocked: tuple[Blocked, ...] = ()
    episode: int = 1
    times: int = 1
    changed_by: str | None = None
    is_dirty: bool = False
    dirty_by: str | None = None
    closed_at: float | None = None
    closed_by: str | None = None
    snoozed_until: float | None = None
    seen: tuple[str, ...] = ()
    failing: tuple[Failure, ...] = ()
    commands: tuple[str, ...] = ()
    unpublished: Literal["opened", "changed", "closed"] | None = None
    version: int = 1

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def subject(self) -> str:
        """The task or the server that is the cause."""
        return _subject_of(self)

    @property
    def mark(self) -> str:
        """What the graph lists while it is open: the kind and the task or server."""
        return f"{self.kind}:{self.subject}"

    @property
    def waiting_owners(self) -> list[str]:
        """The owners of what waits, without the owner of the cause."""
        owners = {blocked.owner for blocked in self.blocked if blocked.owner is not None}
        return sorted(owners - {self.owner})

    def is_snoozed(self, now: float) -> bool:
        return self.snoozed_until is not None and now < self.snoozed_until

    def may_publish_change(self, now: float) -> bool:
        """Return whether a change that was not published yet may be published now."""
        return now - self.published_at >= CHANGED_INTERVAL_S and not self.is_snoozed(now)


def _subject_of(cause: Evidence | Incident) -> str:
    return (cause.server if cause.kind in SERVER_KINDS else cause.task) or ""


def with_evidence(
    stored: Incident | None, evidence: Evidence, *, cause: str, now: float
) -> Incident | None:
    """Return the incident after `evidence`; None if it was counted before."""
    if stored is not None and evidence.key in stored.seen:
        return None
    if stored is None or not stored.is_open:
        return _opened(stored, evidence, cause=cause, now=now)
    failing = _with_failure(stored.failing, evidence.failure)
    changed = replace(
        stored,
        server=evidence.server,
        owner=evidence.owner,
        reason=evidence.reason,
        error=evidence.error,
        run_id=evidence.run_id,
        traceparent=evidence.traceparent,
        blocked=evidence.blocked[:BLOCKED_MAX],
        times=stored.times + 1,
        is_dirty=True,
        dirty_by=stored.dirty_by if stored.is_dirty else evidence.key,
        seen=(*stored.seen, evidence.key)[-SEEN_MAX:],
        failing=failing,
        version=stored.version + 1,
    )
    return with_publication(changed, cause=cause, now=now)


def _opened(stored: Incident | None, evidence: Evidence, *, cause: str, now: float) -> Incident:
    seen = stored.seen if stored is not None else ()
    return Incident(
        id=evidence.incident,
        kind=evidence.kind,
        task=evidence.task,
        server=evidence.server,
        owner=evidence.owner,
        opened_at=now,
        opened_by=cause,
        published_at=now,
        reason=evidence.reason,
        error=evidence.error,
        run_id=evidence.run_id,
        traceparent=evidence.traceparent,
        blocked=evidence.blocked[:BLOCKED_MAX],
        episode=stored.episode + 1 if stored is not None else 1,
        seen=(*seen, evidence.key)[-SEEN_MAX:],
        failing=(evidence.failure,) if evidence.failure is not None else (),
        # That one may have crashed when it had taken the mark of this opening away.
        closed_by=stored.closed_by if stored is not None else None,
        commands=stored.commands if stored is not None else (),
        unpublished="opened",
        version=stored.version + 1 if stored is not None else 1,
    )


def _with_failure(failing: tuple[Failure, ...], new: Failure | None) -> tuple[Failure, ...]:
    if new is None:
        return failing
    others = (old for old in failing if (old.run_id, old.index) != (new.run_id, new.index))
    return (*others, new)[-SEEN_MAX:]


def with_publication(changed: Incident, *, cause: str, now: float) -> Incident:
    """Note that the change is to be published, if it may be published now."""
    if not (changed.is_dirty and changed.may_publish_change(now)):
        return changed
    return replace(
        changed,
        changed_by=cause,
        published_at=now,
        is_dirty=False,
        snoozed_until=None,
        unpublished="changed",
    )


def as_published(incident: Incident) -> Incident:
    """Return the incident when what its last write made has been published."""
    return replace(incident, unpublished=None, version=incident.version + 1)


def with_completion(
    incident: Incident, completed: Failure, dispatched_at: float, *, cause: str, now: float
) -> Incident | None:
    """Return the incident after a completion: closed, or with one failure less; None: as it is."""
    if not incident.is_open:
        return None
    if dispatched_at > incident.opened_at:
        return closed(incident, cause=cause, now=now)
    left = tuple(failure for failure in incident.failing if not _heals(completed, failure))
    if len(left) == len(incident.failing):
        return None
    if not left:
        return closed(incident, cause=cause, now=now)
    return replace(incident, failing=left, version=incident.version + 1)


def _heals(completed: Failure, failure: Failure) -> bool:
    is_same = (completed.run_id, completed.index) == (failure.run_id, failure.index)
    return is_same and completed.attempt >= failure.attempt


def closed(incident: Incident, *, cause: str, now: float) -> Incident:
    """Return the incident as `cause` closes it."""
    return replace(
        incident,
        closed_at=now,
        closed_by=cause,
        failing=(),
        is_dirty=False,
        snoozed_until=None,
        unpublished="closed",
        version=incident.version + 1,
    )


def snoozed(incident: Incident, until: float, command_id: str) -> Incident:
    """Return the incident as a command snoozes it."""
    return replace(
        incident,
        snoozed_until=until,
        # When it ends, the incident is published again.
        is_dirty=True,
        commands=(*incident.commands, command_id)[-COMMANDS_MAX:],
        version=incident.version + 1,
    )

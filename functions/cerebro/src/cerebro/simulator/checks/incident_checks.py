"""Incident checks: what must hold of incidents and deadlines, in every world.

The rules are written a second time: who is the cause of a failure, what ends an incident, and what
is published of it.

Invariant: it only observes; nothing here calls a program of the core.
"""

from collections.abc import Iterator
from typing import Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core.incidents.deadline import Deadline
from cerebro.core.incidents.effects import WriteDeadline, WriteIncident
from cerebro.core.incidents.incident import Incident
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.unexpected import Unexpected
from cordyna_core.contract.base import Message
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import SCHEDULER, derived_id, run_id_of
from cordyna_core.contract.incidents import IncidentChanged, IncidentMessage, SnoozeIncident
from cordyna_core.contract.state_updates import InvocationRejected
from cordyna_core.contract.time import utc

CHANGED_INTERVAL_S: Final = 1800.0
SEEN_MAX: Final = 100
WATCHED_OF_SERVER_MAX: Final = 20
_FAILED: Final = (Rank.ACK_TIMEOUT, Rank.START_TIMEOUT, Rank.RUN_TIMEOUT, Rank.ERROR)


class IncidentChecks:
    """What was written and published about incidents so far."""

    def __init__(self, store: MemoryStore, skew_s: float) -> None:
        self._store, self._skew_s = store, skew_s
        self._published: set[str] = set()
        self._decided: set[tuple[str, float]] = set()

    # --- writes -----------------------------------------------------------------------------------
    def incident_written(self, effect: WriteIncident) -> None:
        """Raises Unexpected."""
        new, seen = effect.new, effect.seen
        subject = new.server if _is_of_server(new) else new.task
        of = "server" if _is_of_server(new) else "task"
        if new.id != derived_id("incident", of, subject or "", new.kind):
            raise Unexpected(f"incident {new.id} is not the one of {new.kind} {subject}")
        if len(set(new.seen)) < len(new.seen):
            raise Unexpected(f"{new.kind} {subject}: the same evidence was counted twice")
        if seen is not None and seen.unpublished and _id_of(seen) not in self._published:
            raise Unexpected(f"{new.mark} was {seen.unpublished}, and changed before that was sent")
        was_open = seen is not None and seen.is_open
        if new.is_open != was_open and new.unpublished != ("opened" if new.is_open else "closed"):
            raise Unexpected(f"{new.mark} was written without what is to be published of it")
        if seen is not None and seen.is_open == new.is_open is True:
            self._check_change(seen, new)
        if new.is_open and not was_open and new.times != 1:
            raise Unexpected(f"{new.kind} {subject} was opened with {new.times} times")

    def _check_change(self, seen: Incident, new: Incident) -> None:
        waited_s = new.published_at - seen.published_at
        if waited_s and waited_s < CHANGED_INTERVAL_S - 2 * self._skew_s:
            raise Unexpected(f"{new.kind} was published again after {waited_s:.0f} s")
        if waited_s and seen.snoozed_until and new.published_at < seen.snoozed_until:
            raise Unexpected(f"{new.kind} was published although it is snoozed")

    def deadline_written(self, effect: WriteDeadline) -> None:
        """Raises Unexpected."""
        key = (effect.new.task, effect.new.nominal)
        if effect.new.outcome is not None and key in self._decided:
            raise Unexpected(f"the deadline of {effect.new.task} was decided twice")
        if effect.new.outcome is not None:
            self._decided.add(key)

    def published(self, message: Message) -> None:
        """Remember what was published."""
        if isinstance(message, IncidentMessage) and message.meta is not None:
            self._published.add(message.meta.id or "")

    # --- a handler's message ----------------------------------------------------------------------
    def ended(self, handled: HandledInput) -> None:
        """A snooze is answered, once for each delivery. Raises Unexpected."""
        envelope = handled.message
        if not isinstance(envelope, Envelope) or not isinstance(envelope.message, SnoozeIncident):
            return
        answers = [
            message
            for message in handled.published
            if isinstance(message, IncidentChanged | InvocationRejected)
            and message.meta is not None
            and message.meta.cause == envelope.id
        ]
        if len(answers) != 1:
            raise Unexpected(f"a SnoozeIncident had {len(answers)} answers")

    # --- at rest ----------------------------------------------------------------------------------
    def at_rest(self, runs: list[tuple[RunSnapshot, Run, dict[int, TaskRun]]]) -> None:
        """Check all incidents, now that nothing is on its way. Raises Unexpected."""
        incidents = {incident.id: incident for incident in self._store.incidents()}
        for snapshot, run, facts in runs:
            if run.status == "error":
                self._check_recorded(incidents, snapshot, facts)
        for incident in incidents.values():
            self._check_published(incident)
            if incident.is_open:
                self._check_open(incident, runs)
        marks = {incident.mark for incident in incidents.values() if incident.is_open}
        if marks != self._store.read_graph().watched:
            raise Unexpected(f"{marks} are open, but the graph lists others")
        head = self._store.read_graph().head
        for server, version in self._store._graph_changes:
            if head.servers.get(server, "") == version:
                raise Unexpected(f"the graph has changed by {server}, and that was not published")
        for deadline in self._store._deadlines.values():
            self._check_deadline(deadline, incidents)

    def _check_recorded(
        self, incidents: dict[str, Incident], snapshot: RunSnapshot, facts: dict[int, TaskRun]
    ) -> None:
        """What failed in a run that ended in error is counted by an incident."""
        for index, fact in facts.items():
            task = snapshot.plan.tasks[index]
            if fact.rank not in _FAILED or fact.deadline is not None:
                continue
            key = f"{snapshot.run.id}:{index}:{fact.attempt}"
            counted = [
                incident
                for incident in (
                    incidents.get(derived_id("incident", "task", task.name, "failed")),
                    incidents.get(derived_id("incident", "server", task.server, "unresponsive")),
                )
                if incident is not None
            ]
            if not any(key in one.seen or len(one.seen) >= SEEN_MAX for one in counted):
                raise Unexpected(f"{task.name} failed for good, and no incident has it")

    def _check_open(
        self, incident: Incident, runs: list[tuple[RunSnapshot, Run, dict[int, TaskRun]]]
    ) -> None:
        """What is open has not completed since, and something that it is about has not healed."""
        if incident.kind == "rejected_declaration":
            return
        for snapshot, run, facts in runs:
            is_crowded = _is_of_server(incident) and _is_crowded(incident.subject, snapshot)
            for index, fact in self._about(incident, snapshot, facts):
                if run.status == "cancelled" and is_crowded and index not in run.watched:
                    continue  # nothing looks at all facts of a run that was cancelled
                is_since = fact.dispatched_at > incident.opened_at + 2 * self._skew_s
                by_body = snapshot.plan.tasks[index].reuses is None
                if fact.rank == Rank.COMPLETED and is_since and by_body:
                    raise Unexpected(
                        f"{incident.mark} is open, but {snapshot.plan.tasks[index].name} "
                        "completed in an attempt that was dispatched after it was opened"
                    )
        facts_of = {snapshot.run.id: facts for snapshot, _, facts in runs}
        healed = [
            (own := facts_of.get(failure.run_id, {}).get(failure.index)) is not None
            and own.rank == Rank.COMPLETED
            and own.attempt >= failure.attempt
            for failure in incident.failing
        ]
        if healed and all(healed):
            raise Unexpected(f"{incident.mark} is open, but all that failed has completed")

    def _about(
        self, incident: Incident, snapshot: RunSnapshot, facts: dict[int, TaskRun]
    ) -> Iterator[tuple[int, TaskRun]]:
        for index, fact in facts.items():
            task = snapshot.plan.tasks[index]
            name = task.server if _is_of_server(incident) else task.name
            if name == incident.subject:
                yield index, fact

    def _check_published(self, incident: Incident) -> None:
        if incident.unpublished:
            raise Unexpected(f"{incident.mark} was {incident.unpublished}, not published")
        ended = incident.episode - incident.is_open
        for kind, episodes in (("Opened", incident.episode), ("Closed", ended)):
            for episode in range(1, incident.episode + 1):
                message_id = derived_id(f"Incident{kind}", incident.id, episode)
                if (message_id in self._published) != (episode <= episodes):
                    was = "not " if episode <= episodes else ""
                    raise Unexpected(f"{incident.mark}: Incident{kind} was {was}published")
        if incident.is_open and incident.is_dirty:
            raise Unexpected(f"{incident.mark} has changed, and that was never published")

    def _check_deadline(self, deadline: Deadline, incidents: dict[str, Incident]) -> None:
        if deadline.outcome is None:
            raise Unexpected(f"the deadline of {deadline.task} was never decided")
        key = f"cron {utc(deadline.nominal).isoformat()}"
        run_id = run_id_of(deadline.task, key, SCHEDULER)
        run = self._store.read_run(run_id)
        if deadline.outcome == "met":
            if run is None or run.status != "completed":
                raise Unexpected(f"the deadline of {deadline.task} was met by no run")
            return
        incident = incidents.get(derived_id("incident", "task", deadline.task, "deadline"))
        evidence = f"deadline:{deadline.task}:{deadline.nominal:.3f}"
        is_known = run is not None or deadline.task in self._store.read_graph()
        if is_known and (incident is None or evidence not in incident.seen):
            raise Unexpected(f"the deadline of {deadline.task} was missed, and no incident has it")


def _id_of(incident: Incident) -> str:
    """Return the id of the message that publishes what the last write made."""
    if incident.unpublished == "changed":
        return derived_id("IncidentChanged", incident.id, incident.episode, incident.version)
    kind = "IncidentOpened" if incident.unpublished == "opened" else "IncidentClosed"
    return derived_id(kind, incident.id, incident.episode)


def _is_crowded(server: str, snapshot: RunSnapshot) -> bool:
    """Return whether a server has more tasks in a run than the first ones that are watched."""
    return sum(task.server == server for task in snapshot.plan.tasks) > WATCHED_OF_SERVER_MAX


def _is_of_server(incident: Incident) -> bool:
    return incident.kind in ("unresponsive", "rejected_declaration")

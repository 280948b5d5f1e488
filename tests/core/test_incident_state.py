"""Incident state: what an incident keeps of what happened, and how much of it."""

from dataclasses import replace

from cerebro.core.incidents.critical_path import durations_of
from cerebro.core.incidents.incident import (
    BLOCKED_MAX,
    COMMANDS_MAX,
    SEEN_MAX,
    Blocked,
    Evidence,
    Failure,
    Incident,
    closed,
    snoozed,
    with_evidence,
)
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.task_run import Rank, TimelineEntry
from cerebro.testing.examples import RUN, a_fact

MANY = 3 * SEEN_MAX


def failed(number: int, *, attempt: int = 1, blocked: int = 0) -> Evidence:
    """A failure of the task in run `number`, which blocks some tasks."""
    failure = Failure(f"run-{number}", 0, attempt)
    return Evidence(
        kind="failed",
        key=failure.key,
        task="a",
        server="s",
        owner="team-a",
        failure=failure,
        blocked=tuple(Blocked(f"b-{at}", "s", "team-b") for at in range(blocked)),
    )


def after(*evidence: Evidence, stored: Incident | None = None) -> Incident:
    """The incident after this evidence."""
    for one in evidence:
        stored = with_evidence(stored, one, cause="event", now=1.0) or stored
    assert stored is not None
    return stored


def test_incident_keeps_the_last_of_what_happened() -> None:
    incident = after(*map(failed, range(MANY)))
    assert incident.times == MANY
    last = [failed(number) for number in range(MANY - SEEN_MAX, MANY)]
    assert list(incident.seen) == [evidence.key for evidence in last]
    assert list(incident.failing) == [evidence.failure for evidence in last]


def test_incident_names_a_part_of_what_it_blocks() -> None:
    opened = after(failed(1, blocked=MANY))
    changed = after(failed(2, blocked=MANY), stored=opened)
    assert len(opened.blocked) == len(changed.blocked) == BLOCKED_MAX


def test_task_run_that_fails_again_is_listed_once() -> None:
    incident = after(failed(1), failed(2), failed(1, attempt=2))
    assert incident.failing == (Failure("run-2", 0, 1), Failure("run-1", 0, 2))
    assert incident.times == 3


def test_owners_that_wait_are_others_than_that_of_the_cause() -> None:
    owners = ("team-b", "team-a", None, "team-b")
    blocked = tuple(Blocked(f"b-{at}", "s", owner) for at, owner in enumerate(owners))
    assert replace(after(failed(1)), blocked=blocked).waiting_owners == ["team-b"]


def test_command_stays_known_when_the_cause_happens_again() -> None:
    """It may be delivered again, and shall not snooze what began since."""
    incident = snoozed(after(failed(1)), 9.0, "command-1")
    again = after(failed(2), stored=closed(incident, cause="event", now=2.0))
    assert (again.episode, again.snoozed_until, again.commands) == (2, None, ("command-1",))


def test_incident_keeps_the_last_commands() -> None:
    incident = after(failed(1))
    for number in range(MANY):
        incident = snoozed(incident, 9.0, f"command-{number}")
    assert incident.commands == tuple(f"command-{n}" for n in range(MANY - COMMANDS_MAX, MANY))


def test_evidence_shows_the_attempts_of_its_task_run_only() -> None:
    failure = Failure(RUN, 1, 1)
    assert failure.is_shown_by(failure.key)
    assert failure.is_shown_by(Failure(RUN, 1, 2).key)
    for other in (Failure(RUN, 2, 1), Failure(RUN, 11, 1), Failure("other", 1, 1)):
        assert not failure.is_shown_by(other.key)
    assert not failure.is_shown_by(None)


def test_duration_is_not_negative_where_clocks_differ() -> None:
    plan = Plan((PlannedTask(name="a", server="s"),))
    entry = TimelineEntry("completed", None, 9.0, "cordyna.server.s", 1)
    fact = a_fact(Rank.COMPLETED, deadline=None, dispatched_at=10.0, timeline=(entry,))
    assert durations_of(plan, {0: fact}) == {"a": 0.0}

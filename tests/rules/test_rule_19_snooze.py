"""Rule 19: an incident is snoozed by a command that acts once (docs/rules.md, rule 19)."""

import pytest

from cordyna_core.contract.ids import CLIENT, server_source
from cordyna_core.contract.incidents import IncidentChanged, SnoozeIncident, incident_id
from cordyna_core.contract.time import utc
from cordyna_core.errors import Fatal
from world.incidents import deliveries, events, incident_events, the_incident
from world.scenarios import ReactionWorld, a_run

A: str = incident_id("failed", "a")


def snooze(
    world: ReactionWorld, seconds: float, *, incident: str = A, command_id: str | None = None
) -> None:
    command = SnoozeIncident(
        incident=incident, until=utc(world.now + seconds), command_id=command_id
    )
    world.publish(command, CLIENT)


def fail_again(world: ReactionWorld) -> None:
    run_id = world.invoke("a")
    world.report("a", "error", run_id=run_id)


def test_snooze_is_answered_with_the_incident() -> None:
    world = a_run("a", a="error")
    snooze(world, 7200)
    answer = incident_events(world)[-1]
    assert isinstance(answer, IncidentChanged)
    assert answer.snoozed_until == utc(world.now + 7200)
    assert answer.meta is not None
    assert answer.meta.cause is not None


def test_snoozed_incident_is_published_when_the_snooze_ends() -> None:
    world = a_run("a", a="error")
    snooze(world, 7200)
    before = len(incident_events(world))
    fail_again(world)
    assert len(incident_events(world.after(7100))) == before
    world.after(200)
    last = incident_events(world)[-1]
    assert (len(incident_events(world)), last.times, last.snoozed_until) == (before + 1, 2, None)


def test_failure_during_a_long_snooze_is_not_published() -> None:
    world = a_run("a", a="error")
    snooze(world, 7200)
    before = len(incident_events(world))
    world.after(3600)
    fail_again(world)
    assert len(incident_events(world)) == before
    assert len(incident_events(world.after(3700))) == before + 1


def test_short_snooze_ends_half_an_hour_after_the_last_event() -> None:
    world = a_run("a", a="error")
    snooze(world, 60)
    before = len(incident_events(world))
    assert len(incident_events(world.after(1700))) == before
    assert len(incident_events(world.after(200))) == before + 1


def test_snooze_of_seconds_ends_a_longer_one() -> None:
    world = a_run("a", a="error")
    snooze(world, 7200)
    world.after(3600)
    fail_again(world)
    snooze(world, 10)
    before = len(incident_events(world))
    world.after(1900)
    last = incident_events(world)[-1]
    assert (len(incident_events(world)), last.times, last.snoozed_until) == (before + 1, 2, None)


def test_snoozed_incident_closes_and_that_is_published() -> None:
    world = a_run("a", a="error").after(5)
    snooze(world, 7200)
    world.retry()
    world.reach("a", "completed")
    assert events(world)[-1] == "closed failed a"
    assert events(world.after(9000))[-1] == "closed failed a"
    assert the_incident(world, "failed", "a").snoozed_until is None


def test_same_command_acts_once_and_is_answered_again() -> None:
    world = a_run("a", a="error")
    snooze(world, 7200, command_id="c")
    until = the_incident(world, "failed", "a").snoozed_until
    world.now += 60
    snooze(world, 7200, command_id="c")
    assert the_incident(world, "failed", "a").snoozed_until == until
    assert deliveries(world.published, IncidentChanged) == 2


@pytest.mark.parametrize(
    ("seconds", "code"), [(-1, "until_has_passed"), (31 * 86_400, "until_too_late")]
)
def test_snooze_until_a_wrong_time_is_refused(seconds: float, code: str) -> None:
    world = a_run("a", a="error")
    snooze(world, seconds)
    assert world.problems == [code]


def test_snooze_of_an_unknown_incident_is_refused() -> None:
    world = a_run("a")
    snooze(world, 60)
    assert world.problems == ["unknown_incident"]


def test_snooze_of_a_closed_incident_is_refused() -> None:
    world = a_run("a", a="error").after(5)
    world.retry()
    world.reach("a", "completed")
    snooze(world, 60)
    assert world.problems == ["incident_closed"]


def test_snooze_by_a_server_is_a_dead_letter() -> None:
    world = a_run("a", a="error")
    command = SnoozeIncident(incident=A, until=utc(world.now + 60))
    with pytest.raises(Fatal, match="may not send SnoozeIncident"):
        world.publish(command, server_source("s"))

"""Incidents of a cerebro on AWS: listed by its query function, snoozed by an event."""

from cli_aws.cloud_in_memory import MemoryCloud
from cli_aws.test_aws_engine import a_world, codes, invoked
from cordyna_cli.aws.engine import AwsEngine
from cordyna_core.contract.incidents import SnoozeIncident, incident_id
from cordyna_core.contract.time import utc

X = incident_id("failed", "x")


def a_failure() -> tuple[AwsEngine, MemoryCloud, str]:
    engine, cloud = a_world()
    run_id = invoked(engine, "x")
    cloud.report(run_id, "x", "error")
    return engine, cloud, run_id


def snooze(engine: AwsEngine, cloud: MemoryCloud, seconds: float, incident: str = X) -> list[str]:
    command = SnoozeIncident(incident=incident, until=utc(cloud.now + seconds))
    return codes(engine.command(command))


def test_failure_is_listed_with_its_run() -> None:
    engine, _, run_id = a_failure()

    (view,) = engine.incidents()
    assert (view.incident, view.kind, view.task, view.run_id) == (X, "failed", "x", run_id)


def test_snooze_is_applied() -> None:
    engine, cloud, _ = a_failure()

    command = SnoozeIncident(incident=X, until=utc(cloud.now + 3600))
    assert engine.command(command) is None
    assert engine.incidents()[0].snoozed_until is not None


def test_snooze_that_is_refused_has_the_reason_of_cerebro() -> None:
    engine, cloud, _ = a_failure()

    assert snooze(engine, cloud, -60) == ["until_has_passed"]


def test_snooze_without_a_log_is_refused_for_the_same_reasons() -> None:
    engine, cloud, run_id = a_failure()
    cloud.writes_log = False

    assert snooze(engine, cloud, -60) == ["until_has_passed"]
    assert snooze(engine, cloud, 60, incident_id("failed", "other")) == ["unknown_incident"]
    cloud.now += 10
    cloud.report(run_id, "x", "completed")
    assert [view.state for view in engine.incidents(closed=True)] == ["closed"]
    assert snooze(engine, cloud, 60) == ["incident_closed"]

"""What a person does with servers, runs, logs and dead letters of a cerebro on AWS."""

import json
from typing import Any

import pytest

from cli_aws.cloud_in_memory import NOON, SERVER, MemoryCloud, refused
from cli_aws.test_aws_engine import a_world, an_engine, codes, invoked
from cli_aws.test_cloud_operations import DEAD, Sqs, a_message
from cordyna_cli.aws.commands import ASK_WHY_AFTER_S
from cordyna_core.contract.commands import CancelRun, RemoveServer
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import RunCriteria
from cordyna_core.errors import NotFound, ServiceError


def declare_revision(cloud: MemoryCloud, revision: int) -> None:
    tasks = [TaskDeclaration(name="x")]
    declared = ServerDeclared(server=SERVER, tasks=tasks, revision=revision)
    cloud.publish(declared, server_source(SERVER))


def printed(cloud: MemoryCloud, run_id: str, text: str) -> None:
    """A line of the task y, as CloudWatch Logs holds it."""
    line = {
        "timestamp": utc(cloud.now).isoformat(),
        "run_id": run_id,
        "attempt": 1,
        "stream": "stdout",
        "task": "y",
        "message": text,
    }
    event = {"timestamp": int(cloud.now * 1000), "message": json.dumps(line)}
    cloud.groups.setdefault(f"/aws/lambda/{SERVER}", []).append(event)


def test_removed_server_has_no_tasks() -> None:
    engine, _ = a_world()

    assert engine.command(RemoveServer(server=SERVER)) is None
    assert engine.tasks() == []


def test_removal_below_the_accepted_revision_is_refused() -> None:
    engine, cloud = a_world()
    declare_revision(cloud, 7)

    assert codes(engine.command(RemoveServer(server=SERVER, revision=6))) == ["newer_revision"]
    assert sum(cloud.slept) >= ASK_WHY_AFTER_S


@pytest.mark.parametrize("revision", [6, 7])
def test_removal_without_an_answer_is_a_service_error(revision: int) -> None:
    """A server that is still there has declared nothing meanwhile, unless its revision is newer."""
    engine, cloud = a_world()
    declare_revision(cloud, 6)
    cloud.deaf = True

    with pytest.raises(ServiceError, match="has not answered within 9 s"):
        engine.command(RemoveServer(server=SERVER, revision=revision), wait_s=9)


def test_runs_are_filtered_by_the_query_function() -> None:
    engine, _ = a_world()
    first, second = invoked(engine, "x"), invoked(engine, "y")
    engine.command(CancelRun(run_id=second))

    def matching(**criteria: Any) -> list[str]:
        return [run.run_id for run in engine.runs(5, RunCriteria(**criteria))]

    assert matching(task="x") == [first]
    assert matching(state="cancelled") == [second]
    assert matching(sender="scheduler") == []
    assert set(matching(sender="client")) == {first, second}
    assert matching(since=utc(NOON + 3600)) == []
    assert matching(until=utc(NOON)) == []
    assert set(matching(until=utc(NOON + 3600))) == {first, second}


def test_follow_logs_yields_lines_until_the_run_has_ended() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    printed(cloud, run_id, "one")
    sleep = cloud.sleep

    def sleep_while_it_goes_on(seconds: float) -> None:
        sleep(seconds)
        if len(cloud.slept) == 1:
            printed(cloud, run_id, "two")
            engine.command(CancelRun(run_id=run_id))
        elif len(cloud.slept) == 2:
            printed(cloud, run_id, "late")

    engine._sleep = sleep_while_it_goes_on

    batches = [[line.text for line in batch] for batch in engine.follow_logs(run_id)]

    assert batches == [["one"], [], ["two"], ["late"]]
    assert [line.text for line in engine.iter_logs(run_id)] == ["one", "two", "late"]


def test_message_that_cannot_be_put_back_stays_a_dead_letter() -> None:
    cloud = MemoryCloud()
    sqs = Sqs(cloud, cordyna_tracker_dead_letters=[a_message("one")], cordyna_tracker=[])

    def fail(**_: Any) -> Any:
        raise refused("InternalError")

    cloud.answers["sqs.send_message"] = fail
    with pytest.raises(ServiceError):
        an_engine(cloud).operations.redrive(DEAD)
    assert len(sqs.queues[DEAD]) == 1


def test_purge_deletes_the_messages_of_a_queue() -> None:
    cloud = MemoryCloud()
    sqs = Sqs(cloud, cordyna_tracker_dead_letters=[a_message("one"), a_message("two")])
    cloud.answers["sqs.purge_queue"] = lambda QueueUrl: sqs.queues[QueueUrl].clear()  # noqa: N803

    assert an_engine(cloud).operations.purge(DEAD) == 2
    assert sqs.queues[DEAD] == []


@pytest.mark.parametrize("name", ["cordyna-tracker", "cordyna-planner-dead-letters"])
def test_purge_of_unknown_queue_is_not_found(name: str) -> None:
    cloud = MemoryCloud()
    Sqs(cloud, cordyna_tracker=[a_message("one")])

    with pytest.raises(NotFound, match="there is no dead-letter queue") as raised:
        an_engine(cloud).operations.purge(name)
    assert DEAD in raised.value.why


def test_cloud_drives_runs_by_itself() -> None:
    engine, _ = a_world()

    assert (engine.drives, engine.has_live_events, engine.driver()) == (False, False, None)

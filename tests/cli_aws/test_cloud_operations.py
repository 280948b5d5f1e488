"""The operations of `dyna` on AWS: health checks, dead letters, paused crons."""

# ruff: noqa: N803  the names of arguments are those of AWS

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli_aws.cloud_in_memory import NOON, MemoryCloud, refused
from cli_aws.test_aws_engine import PLACE, an_engine
from cordyna_cli.aws.discovery import CerebroLocation
from cordyna_cli.aws.quotas import QUOTAS
from cordyna_cli.operations import Finding, operations_of
from cordyna_core import UserError
from cordyna_core.errors import AccessError, NotFound
from cordyna_core.testing import RecordingBus

DEAD = "cordyna-tracker-dead-letters"


class Sqs:
    """Queues in memory: name -> messages as SQS answers them."""

    def __init__(self, cloud: MemoryCloud, **queues: list[dict[str, Any]]) -> None:
        self.queues = {name.replace("_", "-"): messages for name, messages in queues.items()}
        self.visibility: list[int] = []
        self.looked_at: dict[str, list[dict[str, Any]]] = {}
        for operation in (
            "get_queue_url",
            "get_queue_attributes",
            "receive_message",
            "send_message",
            "delete_message",
        ):
            cloud.answers[f"sqs.{operation}"] = getattr(self, operation)

    def get_queue_url(self, QueueName: str) -> Any:
        if QueueName not in self.queues:
            raise refused("AWS.SimpleQueueService.NonExistentQueue")
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> Any:
        seen, unseen = len(self.queues[QueueUrl]), len(self.looked_at.get(QueueUrl, ()))
        counts = {
            "ApproximateNumberOfMessages": seen,
            "ApproximateNumberOfMessagesNotVisible": unseen,
        }
        return {"Attributes": {name: str(counts[name]) for name in AttributeNames}}

    def receive_message(
        self, QueueUrl: str, MaxNumberOfMessages: int, VisibilityTimeout: int, **more: Any
    ) -> Any:
        assert 1 <= MaxNumberOfMessages <= 10, "SQS refuses other numbers"
        self.visibility.append(VisibilityTimeout)
        if more.get("WaitTimeSeconds"):  # long enough for a sampled message to come back
            self.queues[QueueUrl] += self.looked_at.pop(QueueUrl, [])
        found = self.queues[QueueUrl][:MaxNumberOfMessages]
        return {"Messages": found} if found else {}

    def send_message(self, QueueUrl: str, MessageBody: str) -> Any:
        self.queues[QueueUrl].append(a_message(MessageBody))

    def delete_message(self, QueueUrl: str, ReceiptHandle: str) -> Any:
        self.queues[QueueUrl] = [
            each for each in self.queues[QueueUrl] if each["ReceiptHandle"] != ReceiptHandle
        ]


NUMBERS = iter(range(10_000))


def a_message(body: str, **attributes: str) -> dict[str, Any]:
    return {
        "Body": body,
        "ReceiptHandle": f"receipt-{next(NUMBERS)}",
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }


def an_event(detail_type: str = "TaskStateChanged", **detail: Any) -> str:
    return json.dumps({"detail-type": detail_type, "detail": detail})


def test_dead_letter_queues_show_message_and_reason() -> None:
    cloud = MemoryCloud()
    messages = [
        a_message("not JSON", reason="the event: Invalid JSON"),
        a_message(an_event(task="x", run_id="RUN"), ERROR_MESSAGE="no permission"),
        a_message("[]"),
        a_message(an_event()),
    ]
    sqs = Sqs(
        cloud,
        cordyna_tracker_dead_letters=messages,
        cordyna_tracker=[],
        cordyna_query_dead_letters=[],
        cordyna_planner_dead_letters=[],
    )
    (found,) = an_engine(cloud).operations.dead_letters()
    assert (found.name, found.messages, found.back_to) == (DEAD, 4, "cordyna-tracker")
    assert found.samples == (
        "not JSON: the event: Invalid JSON",
        "TaskStateChanged x RUN: no permission",
        "not an event: its handler failed on every delivery",
    )
    # Sampling does not keep messages from their handler.
    assert max(sqs.visibility) <= 5


@pytest.mark.parametrize(
    ("body", "kind"),
    [('{"ring": {}}', "ring"), ("{}", "nothing"), ('{"detail-type": "T", "detail": 3}', "T")],
)
def test_dead_letter_sample_names_its_message(body: str, kind: str) -> None:
    cloud = MemoryCloud()
    Sqs(cloud, cordyna_timekeeper_dead_letters=[a_message(body, reason="r")])
    assert an_engine(cloud).operations.dead_letters()[0].samples == (f"{kind}: r",)


def test_dead_letters_of_servers_are_shown() -> None:
    cloud = MemoryCloud()
    cloud.declare("x")
    Sqs(
        cloud,
        server_a_dead_letters=[a_message(an_event("RunTask"))],
        server_a_work_dead_letters=[a_message(an_event("RunTask"))],
    )
    assert [(each.name, each.back_to) for each in an_engine(cloud).operations.dead_letters()] == [
        ("server-a-dead-letters", None),
        ("server-a-work-dead-letters", "server-a-work"),
    ]


def only(cloud: MemoryCloud, *allowed: str) -> None:
    """IAM lets us look into these queues only."""
    sqs = Sqs(cloud)

    def get_queue_url(QueueName: str) -> Any:
        if not QueueName.startswith(allowed):
            raise refused("AccessDenied")
        return sqs.get_queue_url(QueueName)

    cloud.answers["sqs.get_queue_url"] = get_queue_url


def test_unreadable_queue_of_another_team_is_left_out() -> None:
    cloud = MemoryCloud()
    cloud.declare("x")
    only(cloud, "cordyna-")
    assert an_engine(cloud).operations.dead_letters() == []


def test_unreadable_queue_of_cerebro_is_an_access_error() -> None:
    cloud = MemoryCloud()
    only(cloud, "nothing")
    with pytest.raises(AccessError):
        an_engine(cloud).operations.dead_letters()


def test_redrive_puts_every_message_back() -> None:
    cloud = MemoryCloud()
    sqs = Sqs(
        cloud,
        cordyna_tracker_dead_letters=[a_message(f"body-{n}") for n in range(25)],
        cordyna_tracker=[],
    )
    assert an_engine(cloud).operations.redrive(DEAD) == 25
    assert sqs.queues[DEAD] == []
    assert [each["Body"] for each in sqs.queues["cordyna-tracker"]] == [
        f"body-{n}" for n in range(25)
    ]


def test_redrive_does_not_move_a_returning_message_again() -> None:
    cloud = MemoryCloud()
    sqs = Sqs(cloud, cordyna_tracker_dead_letters=[a_message("poison")], cordyna_tracker=[])
    cloud.answers["sqs.send_message"] = lambda QueueUrl, MessageBody: sqs.queues[DEAD].append(
        a_message(MessageBody)
    )
    assert an_engine(cloud).operations.redrive(DEAD) == 1


def test_redrive_waits_for_a_sampled_message() -> None:
    cloud = MemoryCloud()
    sqs = Sqs(cloud, cordyna_tracker_dead_letters=[], cordyna_tracker=[])
    sqs.looked_at[DEAD] = [a_message("one")]
    assert an_engine(cloud).operations.redrive(DEAD) == 1
    assert [each["Body"] for each in sqs.queues["cordyna-tracker"]] == ["one"]


def test_redrive_ends_when_another_reader_takes_the_rest() -> None:
    cloud = MemoryCloud()
    sqs = Sqs(cloud, cordyna_tracker_dead_letters=[a_message("one")], cordyna_tracker=[])
    cloud.answers["sqs.receive_message"] = lambda **_: {}
    assert an_engine(cloud).operations.redrive(DEAD) == 0
    assert len(sqs.queues[DEAD]) == 1


@pytest.mark.parametrize(
    "name", ["no-such-queue", "cordyna-query-dead-letters", "cordyna-planner-dead-letters"]
)
def test_redrive_of_unknown_queue_is_not_found(name: str) -> None:
    cloud = MemoryCloud()
    Sqs(cloud, cordyna_query_dead_letters=[a_message("x")])
    with pytest.raises(NotFound, match="not a queue whose messages can be put back") as raised:
        an_engine(cloud).operations.redrive(name)
    assert DEAD in raised.value.why


@pytest.fixture
def scheduled(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A cloud whose schedules are moto's, with crons of the tasks x and x-2."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        scheduler = boto3.client("scheduler", region_name="eu-west-1")
        scheduler.create_schedule_group(Name="cordyna")
        for task in ("x", "x-2"):
            scheduler.create_schedule(
                Name=f"cron-{task}-abc",
                GroupName="cordyna",
                ScheduleExpression="cron(0 6 * * ? *)",
                ScheduleExpressionTimezone="Europe/Berlin",
                FlexibleTimeWindow={"Mode": "OFF"},
                Description=f"Cron of task {task}",
                Target={
                    "Arn": "arn:aws:sqs:eu-west-1:123456789012:q",
                    "RoleArn": "r",
                    "Input": json.dumps({"tick": {"task": task}}),
                },
            )
        cloud = MemoryCloud()
        for operation in ("list_schedules", "get_schedule", "update_schedule"):
            cloud.answers[f"scheduler.{operation}"] = getattr(scheduler, operation)
        yield cloud


def test_paused_cron_keeps_its_schedule(scheduled: MemoryCloud) -> None:
    def schedule() -> dict[str, Any]:
        stored = scheduled.answers["scheduler.get_schedule"](Name="cron-x-abc", GroupName="cordyna")
        changed = ("State", "LastModificationDate", "ResponseMetadata")
        return {name: value for name, value in stored.items() if name not in changed}

    operations, before = an_engine(scheduled).operations, schedule()
    assert operations.paused() == []
    operations.pause("x", on=True)
    assert (operations.paused(), schedule()) == (["x"], before)
    operations.pause("x", on=False)
    assert (operations.paused(), schedule()) == ([], before)


def test_pause_of_task_without_cron_is_not_found(scheduled: MemoryCloud) -> None:
    with pytest.raises(NotFound, match='task "y" has no cron'):
        an_engine(scheduled).operations.pause("y", on=True)


def test_schedules_are_read_page_by_page() -> None:
    cloud = MemoryCloud()
    pages = iter(
        [
            {"Schedules": [{"Name": "cron-a", "State": "DISABLED"}], "NextToken": "t"},
            {"Schedules": []},
        ]
    )
    cloud.answers["scheduler.list_schedules"] = lambda **_: next(pages)
    cloud.answers["scheduler.get_schedule"] = lambda **_: {
        "Target": {"Input": '{"tick": {"task": "a"}}'}
    }
    place = CerebroLocation(
        stage="s", bus="cordyna", query="cordyna-query", events_log=None, schedule_group=None
    )
    assert an_engine(cloud, place).operations.paused() == ["a"]


def examined(cloud: MemoryCloud, place: CerebroLocation = PLACE) -> dict[str, Finding]:
    cloud.answers.setdefault("sts.get_caller_identity", lambda: {"Arn": "arn:aws:iam::1:user/me"})
    cloud.answers.setdefault("events.describe_event_bus", lambda **_: {})
    cloud.answers.setdefault("service-quotas.list_service_quotas", quotas_of(10_000))
    cloud.answers.setdefault("lambda.get_account_settings", unreserved(900))
    if "sqs.get_queue_url" not in cloud.answers:
        Sqs(cloud)
    return {finding.what: finding for finding in an_engine(cloud, place).operations.examine()}


def quotas_of(value: float) -> Callable[..., Any]:
    """Service Quotas, one quota a page."""

    def list_service_quotas(ServiceCode: str, NextToken: str = "0") -> Any:
        quotas = [quota for quota in QUOTAS if quota.service == ServiceCode]
        number = int(NextToken)
        listed = [{"QuotaName": f"{q.title} in us-east-1", "Value": value} for q in quotas]
        more = {"NextToken": str(number + 1)} if number + 1 < len(quotas) else {}
        return {"Quotas": listed[number : number + 1], **more}

    return list_service_quotas


def unreserved(free: int) -> Callable[[], Any]:
    return lambda: {"AccountLimit": {"UnreservedConcurrentExecutions": free}}


def test_examine_of_healthy_cerebro_is_well() -> None:
    cloud = MemoryCloud()
    cloud.declare("x", "y")
    found = examined(cloud)
    assert {finding.state for finding in found.values()} == {"well"}
    assert next(iter(found)) == "credentials"
    assert found["servers"].detail == "1, with 2 tasks"


def test_examine_continues_after_a_broken_check() -> None:
    cloud = MemoryCloud()

    def gone(**_: Any) -> Any:
        raise refused("ResourceNotFoundException", "DescribeEventBus")

    cloud.answers["events.describe_event_bus"] = gone
    found = examined(cloud)
    assert found["bus"].state == "broken"
    assert "DescribeEventBus" in found["bus"].detail
    assert found["query function"].state == "well"


def test_examine_without_read_access_is_worth_a_look() -> None:
    cloud = MemoryCloud()
    cloud.declare("x")
    only(cloud, "nothing")
    assert examined(cloud)["dead letters"].state == "worth a look"


def test_examine_without_query_access_is_broken() -> None:
    cloud = MemoryCloud()

    def forbidden(**_: Any) -> Any:
        raise refused("AccessDeniedException", "Invoke")

    cloud.answers["lambda.invoke"] = forbidden
    assert examined(cloud)["query function"].state == "broken"


def test_examine_without_credentials_raises() -> None:
    cloud = MemoryCloud()

    def expired() -> Any:
        raise refused("ExpiredToken")

    cloud.answers["sts.get_caller_identity"] = expired
    with pytest.raises(AccessError):
        examined(cloud)


def test_other_version_and_clock_skew_are_worth_a_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud = MemoryCloud()
    monkeypatch.setattr("cordyna_cli.aws.health_checks.__version__", "9.9.9")
    cloud._ports = type(cloud._ports)(
        cloud.store, cloud._ports.bus, cloud._ports.timers, cloud._ports.crons, lambda: NOON + 7
    )
    found = examined(cloud)
    assert found["versions"].detail.startswith("dyna is 9.9.9, cerebro is ")
    assert found["clocks"].detail == "this machine's clock and cerebro's differ by 7.0 s"
    assert (found["versions"].state, found["clocks"].state) == ("worth a look", "worth a look")


def test_servers_logs_and_dead_letters_may_be_worth_a_look() -> None:
    cloud = MemoryCloud()
    Sqs(cloud, cordyna_tracker_dead_letters=[a_message("x")])
    place = CerebroLocation(
        stage="s", bus="cordyna", query="cordyna-query", events_log=None, schedule_group=None
    )
    found = examined(cloud, place)
    assert [found[what].state for what in ("servers", "log of events", "dead letters")] == [
        "worth a look"
    ] * 3
    assert found["dead letters"].detail == f"1 in {DEAD}"


def test_server_that_is_not_ready_is_worth_a_look() -> None:
    cloud = MemoryCloud()
    cloud.declare("x")
    cloud.store.note_server("server-a", "draining", NOON)
    assert examined(cloud)["servers"].detail == "server-a is draining"


def test_engine_without_operations_names_the_profile_option() -> None:
    with pytest.raises(UserError, match="is for a cerebro on AWS") as raised:
        operations_of(RecordingBus(), "doctor")  # type: ignore[arg-type]
    assert raised.value.next == "dyna --profile P doctor"

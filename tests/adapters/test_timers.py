"""The Timers contract on AWS in virtual time, and the calls to AWS."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.cloud import ACCOUNT, ENDPOINT, client
from adapters.virtual_aws import LATE_MAX_S, QUEUES, TARGET, TIMER_TARGETS, VirtualAws, refusal
from cerebro.adapters.aws.schedules import ScheduleTarget
from cerebro.adapters.aws.timers import EARLY_LOOKS_S, AwsTimers, TimerTargets, schedule_name
from cerebro.adapters.internal_codec import decode_internal
from cerebro.core.incidents.notices import CompletionNotice, IncidentTimer
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer
from cerebro.testing.examples import NOW, RUN
from cerebro.testing.timer_contract import DELAY_MAX_S, TimersContract


class TestTimersWhenSchedulesAreLate(TimersContract):
    def a_platform(self) -> VirtualAws:
        return VirtualAws(late_s=LATE_MAX_S)


class TestTimersOnTheQueue(TimersContract):
    def a_platform(self) -> VirtualAws:
        return VirtualAws(late_s=LATE_MAX_S, waits_in_queue=True)


class TestTimersWhenSchedulesAreInTime(TimersContract):
    def a_platform(self) -> VirtualAws:
        return VirtualAws(late_s=0.0)


def test_far_page_timer_is_one_schedule_with_its_name() -> None:
    aws = VirtualAws()
    timer = PageTimer(RUN, 3, NOW + 600)
    aws.timers.send_page_timer(timer)
    ((name, schedule),) = aws.schedules.items()
    assert name == schedule_name(timer)
    # 60 s early, in whole seconds.
    assert schedule["expression"] == "at(2026-09-21T14:22:20)"
    assert decode_internal(schedule["input"]) == timer


def test_page_timer_within_15_minutes_is_a_delayed_message() -> None:
    aws = VirtualAws(waits_in_queue=True)
    timer = PageTimer(RUN, 3, NOW + 890.2)
    aws.timers.send_page_timer(timer)
    assert aws.schedules == {}
    assert aws.next_delivery() == timer
    assert 0 <= aws.now - timer.due <= 1


@given(
    st.builds(VirtualAws, late_s=st.sampled_from([0.0, LATE_MAX_S]), waits_in_queue=st.booleans()),
    st.floats(0, 2000),
)
@example(VirtualAws(late_s=0.0, waits_in_queue=True), 903.0)
def test_timer_sent_again_while_early_fires_in_time(aws: VirtualAws, ahead: float) -> None:
    timer = PageTimer(RUN, 3, aws.now + ahead)
    aws.timers.send_page_timer(timer)
    while aws.next_delivery() == timer and aws.now < timer.due - 0.001:
        aws.timers.send_page_timer(timer)
    assert -0.001 <= aws.now - timer.due <= DELAY_MAX_S


@pytest.mark.parametrize("ahead", [9.6, 10.0, 10.0004])
def test_wait_lasts_the_whole_seconds_until_a_timer_is_due(ahead: float) -> None:
    inputs: list[dict[str, Any]] = []

    class States(VirtualAws):
        def start_execution(self, **request: Any) -> None:
            inputs.append(json.loads(request["input"]))

    # Half a second after a whole one: a wait until a whole second would last longer.
    aws = States()
    aws.now = NOW + 0.5
    aws.timers.send_page_timer(PageTimer(RUN, 0, aws.now + ahead))
    (waiting,) = inputs
    assert waiting["seconds"] == 10


def test_only_unshared_timer_looks_for_the_end_of_its_run() -> None:
    """A shared one is recorded: a rerun may rely on it until it is due."""
    inputs: list[dict[str, Any]] = []

    class States(VirtualAws):
        def start_execution(self, **request: Any) -> None:
            inputs.append(json.loads(request["input"]))

    for is_shared, ahead in ((True, 10), (False, 10), (False, 6)):
        States().timers.send_page_timer(PageTimer(RUN, 0, NOW + ahead, is_shared=is_shared))
    waits = [[waiting.get(name) for name in (*EARLY_LOOKS_S, "seconds")] for waiting in inputs]
    assert waits == [[None, None, None, 10], [1, 2, 3, 4], [None, None, None, 6]]


def test_overdue_check_goes_behind_the_updates_of_servers() -> None:
    sent: list[tuple[str, str]] = []

    class Queues(VirtualAws):
        def send_message(self, **request: Any) -> None:
            sent.append((request["QueueUrl"], request["MessageBody"]))

    check = OverdueCheck(RUN, 3, NOW, NOW)
    Queues().timers.send_overdue_check(check)
    ((url, body),) = sent
    assert url == QUEUES["tracker"]
    assert decode_internal(body) == check


def test_page_timer_whose_schedule_fails_raises() -> None:
    class Broken(VirtualAws):
        def create_schedule(self, **given: Any) -> None:
            raise refusal("ServiceQuotaExceededException")

    with pytest.raises(ClientError, match="ServiceQuotaExceeded"):
        Broken().timers.send_page_timer(PageTimer(RUN, 3, NOW + 600))


def test_delivery_of_a_schedule_is_retried_for_an_hour() -> None:
    """185 is the most that Scheduler takes; what it tries less often is lost earlier."""
    policy = TARGET.with_input("").get("RetryPolicy")
    assert policy == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 185}


def test_target_without_dead_letter_queue_names_none() -> None:
    assert "DeadLetterConfig" not in ScheduleTarget(queue_arn="q", role_arn="r").with_input("{}")


def test_schedule_matches_the_service_model() -> None:
    """Botocore checks the parameters of a real client against the service's own model."""
    scheduler = client("scheduler")
    sent: list[dict[str, Any]] = []

    def keep(params: dict[str, Any], **_: object) -> None:
        sent.append(params)
        raise refusal("ConflictException")

    scheduler.meta.events.register("before-call.scheduler", keep)
    timers = AwsTimers(
        TIMER_TARGETS,
        TARGET,
        lambda: NOW,
        sqs=lambda: None,  # type: ignore[arg-type, return-value]
        stepfunctions=lambda: None,  # type: ignore[arg-type, return-value]
        scheduler=lambda: scheduler,
    )
    timers.send_page_timer(PageTimer(RUN, 3, NOW + 600))
    assert len(sent) == 1


@pytest.mark.cloud
@pytest.mark.skipif(ENDPOINT is None, reason="CORDYNA_TEST_ENDPOINT_URL names no emulator")
def test_timers_and_fan_outs_arrive_on_an_emulator() -> None:
    sqs, stepfunctions, scheduler = (
        client(service, ENDPOINT) for service in ("sqs", "stepfunctions", "scheduler")
    )
    name = f"cordyna-{uuid4().hex[:12]}"
    urls = [
        sqs.create_queue(QueueName=f"{name}-{queue}")["QueueUrl"]
        for queue in ("timekeeper", "tracker")
    ]
    send = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}
    send["Parameters"] = {"QueueUrl": urls[0], "MessageBody.$": "$.body"}
    definition = {
        "StartAt": "Wait",
        "States": {
            "Wait": {"Type": "Wait", "TimestampPath": "$.timestamp", "Next": "Send"},
            "Send": send,
        },
    }
    role = f"arn:aws:iam::{ACCOUNT}:role/test"
    machine = stepfunctions.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=role, type="EXPRESS"
    )
    scheduler.create_schedule_group(Name=name)
    targets = TimerTargets(
        timekeeper_queue_url=urls[0],
        tracker_queue_url=urls[1],
        incidents_queue_url=urls[1],
        wait_state_machine_arn=machine["stateMachineArn"],
        schedule_group=name,
    )
    arn = sqs.get_queue_attributes(QueueUrl=urls[0], AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    timers = AwsTimers(
        targets,
        ScheduleTarget(queue_arn=arn, role_arn=role),
        time.time,
        sqs=lambda: sqs,
        stepfunctions=lambda: stepfunctions,
        scheduler=lambda: scheduler,
    )
    now = time.time()
    soon, overdue, far = (
        PageTimer(RUN, 0, now + 1.2),
        PageTimer(RUN, 1, now - 5),
        PageTimer(RUN, 2, now + 3600),
    )
    for timer in (soon, overdue, far, far):
        timers.send_page_timer(timer)
    timers.send_fan_out(FanOut(RUN, 3, 250, "cause"))
    arrived: dict[PageTimer | FanOut | None, float] = {}
    while soon not in arrived and time.time() < now + 10:
        for message in sqs.receive_message(
            QueueUrl=urls[0], WaitTimeSeconds=5, MaxNumberOfMessages=10
        ).get("Messages", []):
            arrived[decode_internal(message["Body"])] = time.time()  # type: ignore[index]
    assert overdue in arrived
    assert 0 <= arrived[soon] - soon.due <= 2
    (fan_out,) = sqs.receive_message(QueueUrl=urls[1], WaitTimeSeconds=5)["Messages"]
    assert decode_internal(fan_out["Body"]) == FanOut(RUN, 3, 250, "cause")
    assert [each["Name"] for each in scheduler.list_schedules(GroupName=name)["Schedules"]] == [
        schedule_name(far)
    ]


def test_timer_of_an_incident_waits_as_a_page_timer_does() -> None:
    aws = VirtualAws()
    timer = IncidentTimer("7M1Z7Q4GJ0S2F8R6Y3K5D9W1XA", NOW + 600)
    aws.timers.send_incident_timer(timer)
    aws.timers.send_incident_timer(timer)
    assert list(aws.schedules) == [schedule_name(timer)]


def test_notice_goes_to_the_queue_of_incidents() -> None:
    sent: list[tuple[str, str]] = []

    class Queues(VirtualAws):
        def send_message(self, **request: Any) -> None:
            sent.append((request["QueueUrl"], request["MessageBody"]))

    notice = CompletionNotice(RUN, 3, 1, NOW)
    Queues().timers.send_incident_notice(notice)
    ((url, body),) = sent
    assert url == QUEUES["incidents"]
    assert decode_internal(body) == notice

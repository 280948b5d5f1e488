"""Operations: the person on call is notified, and can read what to do."""

import json
import re
from pathlib import Path

import pytest

from architecture.repository import ROOT
from cerebro.adapters.aws.timers import QUEUE_DELAY_MAX_S
from cerebro.handlers.sweep import SWEEP_INTERVAL_S
from cordyna_infra.handlers import HANDLERS
from infra.conftest import synthesized
from infra.templates import Template, listed, text_of

OPERATING = (ROOT / "docs" / "operating.md").read_text()


def alarms(stacks: dict[str, Template]) -> dict[str, dict[str, object]]:
    return {
        alarm["AlarmName"].removeprefix("cordyna-"): alarm
        for alarm in stacks["operations"].all("AWS::CloudWatch::Alarm").values()
    }


def test_dead_letter_queues_have_alarms(stacks: dict[str, Template]) -> None:
    queues = [
        str(queue["QueueName"]).removeprefix("cordyna-").removesuffix("-dead-letters")
        for template in stacks.values()
        for queue in template.all("AWS::SQS::Queue").values()
        if str(queue["QueueName"]).endswith("-dead-letters")
    ]
    assert {f"dead-letters-{name}" for name in queues} == {
        name for name in alarms(stacks) if name.startswith("dead-letters-")
    }


def test_alarms_notify_the_topic_of_start_and_end(stacks: dict[str, Template]) -> None:
    for name, alarm in alarms(stacks).items():
        assert (
            alarm["AlarmActions"]
            == alarm["OKActions"]
            == [{"Ref": next(iter(stacks["operations"].all("AWS::SNS::Topic")))}]
        ), name


def test_alarms_tell_of_the_first_event(stacks: dict[str, Template]) -> None:
    """All but those of an age or of a number of timers, which are waited for."""
    counted = {
        name: alarm["Threshold"]
        for name, alarm in alarms(stacks).items()
        if not name.startswith("slow-") and name != "stuck-timekeeper"
    }
    assert set(counted.values()) == {1}


def test_sweep_that_does_not_run_is_an_alarm(stacks: dict[str, Template]) -> None:
    """A function that is not invoked has no metric; for the others that means nothing is wrong."""
    treated = {name: alarm["TreatMissingData"] for name, alarm in alarms(stacks).items()}
    assert treated.pop("no-sweep") == "breaching"
    assert set(treated.values()) == {"notBreaching"}
    # A shorter period would end the alarm between two sweeps.
    assert alarms(stacks)["unfinished-sweep"]["Period"] == SWEEP_INTERVAL_S


def test_alarms_are_explained_in_operating_md(stacks: dict[str, Template]) -> None:
    kinds = {re.sub(r"^(dead-letters|slow)-.*", r"\1-*", name) for name in alarms(stacks)}
    explained = set(re.findall(r"^### `cordyna-([a-z*-]+)`$", OPERATING, re.MULTILINE))
    assert explained == kinds


def test_costs_of_an_idle_installation_add_up(stacks: dict[str, Template]) -> None:
    """CloudWatch charges each metric that an alarm reads."""
    metrics = [
        sum("MetricStat" in query for query in listed(alarm.get("Metrics", [{"MetricStat": {}}])))
        for alarm in alarms(stacks).values()
    ]
    charge = f"{sum(metrics) * 0.1:.2f}"
    row = f"| {len(metrics)} alarms on {sum(metrics)} metrics | 0.10 a metric | {charge} |"
    assert row in OPERATING
    table = OPERATING.split("## Costs of an idle installation")[1].split("| **sum**")
    charges = re.findall(r"^\|.*\| (?:\d+ to )?(\d+\.\d+) \|$", table[0], re.MULTILINE)
    optional = 3.00
    assert f"**{sum(map(float, charges)) - optional:.2f}, and 3.00" in table[1].splitlines()[0]


def test_topic_admits_cloudwatch_and_tls_only(
    stacks: dict[str, Template],
) -> None:
    statements = stacks["operations"].one("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    allowed = [statement for statement in statements if statement["Effect"] == "Allow"]
    assert [statement["Principal"] for statement in allowed] == [
        {"Service": "cloudwatch.amazonaws.com"}
    ]
    assert [
        statement
        for statement in statements
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    ]


def test_metric_math_stays_within_its_limits(
    stacks: dict[str, Template],
) -> None:
    for name, alarm in alarms(stacks).items():
        assert len(listed(alarm.get("Metrics", []))) <= 11, name
    body = text_of(stacks["operations"].one("AWS::CloudWatch::Dashboard")["DashboardBody"])
    expressions = re.findall(r'"expression":"((?:[^"\\]|\\.)*)"', body)
    assert len(expressions) > 5
    assert [
        expression for expression in expressions if re.search(r"\d[eE][-+]?\d", expression)
    ] == []


def test_dashboard_is_json_with_all_topics(stacks: dict[str, Template]) -> None:
    body = json.loads(
        re.sub(
            r"<[^>]*>",
            "x",
            text_of(stacks["operations"].one("AWS::CloudWatch::Dashboard")["DashboardBody"]),
        )
    )
    titles = " ".join(widget["properties"]["title"].lower() for widget in body["widgets"])
    for topic in (
        "wrong",
        "stuck",
        "runs",
        "tasks",
        "acknowledgement",
        "clocks",
        "oldest",
        "errors",
        "throttles",
        "dead letters",
        "costs",
    ):
        assert topic in titles, topic


def lines_of_costs(operations: Template) -> dict[str, str]:
    """The expressions of the dashboard's costs, by label."""
    body = text_of(operations.one("AWS::CloudWatch::Dashboard")["DashboardBody"])
    (graph,) = [
        widget["properties"]
        for widget in json.loads(body)["widgets"]
        if widget["properties"]["title"].startswith("Costs")
    ]
    rows = [row[0] for row in graph["metrics"] if isinstance(row[0], dict)]
    return {row["label"]: row["expression"] for row in rows}


def test_dashboard_shows_each_part_of_the_bill(stacks: dict[str, Template], tmp_path: Path) -> None:
    lines = lines_of_costs(stacks["operations"])
    assert set(lines) == {
        "events, of all buses",
        "archive, of all buses",
        "log of events",
        "logs of functions",
        "DynamoDB",
        "Lambda",
        "SQS",
        "Step Functions",
        "Scheduler",
    }
    assert lines["logs of functions"].count("FILL") == len(HANDLERS)
    body = text_of(stacks["operations"].one("AWS::CloudWatch::Dashboard")["DashboardBody"])
    for metric in (
        '"AWS/Events","PutEventsEntriesCount",{',
        '"AWS/Events","PutEventsRequestSize",{',
        '"AWS/Scheduler","InvocationAttemptCount","ScheduleGroup","cordyna"',
        '"AWS/Logs","IncomingBytes","LogGroupName","/aws/lambda/cordyna-sweeper"',
    ):
        assert metric in body, metric
    unarchived = synthesized(tmp_path, leave_out="archive")["operations"]
    assert set(lines) - set(lines_of_costs(unarchived)) == {"archive, of all buses"}


def test_metrics_are_those_that_cerebro_writes(stacks: dict[str, Template]) -> None:
    written = "".join(
        path.read_text()
        for path in (ROOT / "functions" / "cerebro" / "src" / "cerebro" / "lambdas").glob("*.py")
    )
    template = json.dumps(stacks["operations"].content)
    named = {
        metric["MetricStat"]["Metric"]["MetricName"]
        for alarm in alarms(stacks).values()
        for metric in listed(alarm.get("Metrics", []))
        if metric.get("MetricStat", {}).get("Metric", {}).get("Namespace") == "cordyna"
    } | {
        str(alarm["MetricName"])
        for alarm in alarms(stacks).values()
        if alarm.get("Namespace") == "cordyna"
    }
    assert named == {"StuckRuns", "TicksMissed", "ClockExpired", "UnfinishedSweeps"}
    for name in named | {
        "RunsStarted",
        "RunsCompleted",
        "RunsFailed",
        "TasksCompleted",
        "TasksFailed",
        "AckLatency",
        "DeadLettered",
    }:
        assert f'"{name}"' in written, name
        assert name in template, name


def test_metrics_of_two_stages_are_separate(tmp_path: Path) -> None:
    operations = synthesized(tmp_path, bus="cordyna-staging")["staging-operations"]
    template = json.dumps(operations.content)
    assert "cordyna-staging" in {
        alarm.get("Namespace") for alarm in operations.all("AWS::CloudWatch::Alarm").values()
    }
    assert '"cordyna"' not in template.replace("\\", "")


def test_events_are_archived(stacks: dict[str, Template]) -> None:
    archive = stacks["operations"].one("AWS::Events::Archive")
    assert archive["RetentionDays"] == 30


def test_local_stage_leaves_out_only_unsupported_parts(
    stacks: dict[str, Template], tmp_path: Path
) -> None:
    local = synthesized(
        tmp_path, stage="local", leave_out="scaling,archive,metric-math", image="named"
    )
    missing = {
        kind
        for name, template in stacks.items()
        for kind in {resource["Type"] for resource in template.content["Resources"].values()}
        if not local[name].all(kind)
    }
    assert missing == {
        "AWS::Events::Archive",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::CloudWatch::Alarm",  # of task-server-c, which scale it
    }
    assert set(alarms(stacks)) - set(alarms(local)) == {
        "clocks-expired",
        "errors",
        "throttles",
        "timers-failed",
    }


def test_timers_wait_where_the_context_says(stacks: dict[str, Template], tmp_path: Path) -> None:
    def timers(cerebro: Template) -> dict[str, str]:
        return {
            function["FunctionName"]: function["Environment"]["Variables"]["CORDYNA_TIMERS"]
            for function in cerebro.all("AWS::Lambda::Function").values()
        }

    by_default = timers(stacks["cerebro"])
    assert by_default.pop("cordyna-timekeeper") == "queue", "for the rest of a schedule"
    assert set(by_default.values()) == {"states"}
    assert set(timers(synthesized(tmp_path, timers="queue")["cerebro"]).values()) == {"queue"}


def test_unknown_kind_of_timers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be states or queue"):
        synthesized(tmp_path, timers="sand")


@pytest.mark.parametrize("address", [None, ""])
def test_missing_on_call_address_subscribes_nobody(tmp_path: Path, address: str | None) -> None:
    context = {} if address is None else {"on_call": address}
    operations = synthesized(tmp_path, **context)["operations"]
    assert operations.all("AWS::SNS::Subscription") == {}


def test_queue_age_alarms_fire_after_five_seconds(stacks: dict[str, Template]) -> None:
    slow = {name: alarm for name, alarm in alarms(stacks).items() if name.startswith("slow-")}
    del slow["slow-timekeeper"]
    assert len(slow) == 4
    for alarm in slow.values():
        assert (alarm["Period"], alarm["Threshold"], alarm["Statistic"]) == (60, 5, "Maximum")


def test_delayed_timers_raise_no_alarm_of_their_age(tmp_path: Path) -> None:
    context = {"timers": "queue", "max_concurrency": "timekeeper=30"}
    alarms = synthesized(tmp_path, **context)["operations"].all("AWS::CloudWatch::Alarm")
    slow = {
        alarm["AlarmName"]: (alarm["MetricName"], alarm["Threshold"])
        for alarm in alarms.values()
        if "-slow-" in alarm["AlarmName"]
    }
    due = slow.pop("cordyna-slow-timekeeper")
    assert due == ("ApproximateNumberOfMessagesVisible", 300)
    assert set(slow.values()) == {("ApproximateAgeOfOldestMessage", 5)}


def test_timer_that_nothing_handles_raises_an_alarm(stacks: dict[str, Template]) -> None:
    """Its age may count its delay, and the visibility timeout of an invocation that was killed."""
    (queue,) = [
        queue
        for queue in stacks["cerebro"].all("AWS::SQS::Queue").values()
        if queue["QueueName"] == "cordyna-timekeeper"
    ]
    alarm = alarms(stacks)["stuck-timekeeper"]
    assert alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
    assert alarm["Threshold"] > QUEUE_DELAY_MAX_S + queue["VisibilityTimeout"]


def test_shifted_rollout_invokes_aliases(tmp_path: Path) -> None:
    cerebro = synthesized(tmp_path, shift="LINEAR_10_PERCENT_EVERY_1_MINUTE")["cerebro"]
    assert len(cerebro.all("AWS::CodeDeploy::DeploymentGroup")) == 6
    aliases = cerebro.all("AWS::Lambda::Alias")
    for source in cerebro.all("AWS::Lambda::EventSourceMapping").values():
        assert any(alias in json.dumps(source["FunctionName"]) for alias in aliases)
    (query,) = [
        parameter["Value"]
        for parameter in cerebro.all("AWS::SSM::Parameter").values()
        if parameter["Name"].endswith("/query")
    ]
    assert query == "cordyna-query:live"


def test_unknown_shift_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="predefined configuration"):
        synthesized(tmp_path, shift="SOMEHOW")

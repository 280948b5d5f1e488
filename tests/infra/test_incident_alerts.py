"""IncidentAlerts: one rule for the owner, one for who waits, and formats that stay JSON."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from cdk_nag import AwsSolutionsChecks

from contract.golden_messages import golden
from cordyna_cdk import IncidentAlerts
from cordyna_cdk.alert_channels import Topic, Webhook, pagerduty, slack, teams, webhook
from infra.templates import Template

SECRET: Final = "alerts/team-sales"
CHANNELS: Final[dict[str, Webhook]] = {
    "slack": slack(channel="#sales", secret_name=SECRET),
    "teams": teams(url="https://flows.example.org/invoke?api-version=1", secret_name=SECRET),
    "pagerduty": pagerduty(secret_name=SECRET),
    "webhook": webhook(url="https://hooks.example.org/x", secret_name=SECRET, header="X-Key"),
}
NASTY: Final = 'a "quote", a \\ and a\nnew line'


def alerts(
    channel: Webhook | None, folder: Path, *, stage: str = "production", **options: Any
) -> Template:
    app = App(outdir=str(folder), context={"cordyna:stage": stage})
    stack = Stack(app, "team-sales")
    bus = events.EventBus.from_event_bus_name(stack, "Bus", "cordyna")
    used: Webhook | Topic = channel or Topic(sns.Topic(stack, "Topic", enforce_ssl=True))
    IncidentAlerts(stack, "Alerts", owner="team-sales", channel=used, **{"bus": bus, **options})
    content = app.synth().get_stack_by_name("team-sales").template
    return Template("team-sales", json.loads(json.dumps(content)))


def bodies(template: Template, event: dict[str, Any]) -> dict[str, Any]:
    """What each rule would send for `event`, by its detail pattern."""
    return {
        next(iter(rule["EventPattern"]["detail"])) + str(rule["EventPattern"]["detail-type"]): (
            transformed(rule["Targets"][0]["InputTransformer"], event)
        )
        for rule in template.all("AWS::Events::Rule").values()
    }


def transformed(transformer: dict[str, Any], event: dict[str, Any]) -> Any:
    """As EventBridge fills an input template: a text in quotes is escaped, an object is JSON."""
    values = {name: _at(event, path) for name, path in transformer["InputPathsMap"].items()}
    text: str = transformer["InputTemplate"]
    for name, value in values.items():
        written = json.dumps(value)
        text = text.replace(f'"<{name}>"', written).replace(f"<{name}>", written)
    return json.loads(text)


def _at(event: dict[str, Any], path: str) -> Any:
    value: Any = event
    for name in path.removeprefix("$.").split("."):
        value = value[name]
    return value


def an_event(**changes: Any) -> dict[str, Any]:
    event = golden("IncidentOpened")
    event["detail"] |= changes
    return event


def test_owner_and_who_waits_have_a_rule_each(tmp_path: Path) -> None:
    template = alerts(CHANNELS["slack"], tmp_path)
    patterns = [rule["EventPattern"] for rule in template.all("AWS::Events::Rule").values()]
    kinds = ["IncidentOpened", "IncidentChanged", "IncidentClosed"]
    assert sorted(patterns, key=str) == [
        {"source": ["cordyna.cerebro"], "detail-type": kinds, "detail": detail}
        for detail in ({"owner": ["team-sales"]}, {"waiting_owners": ["team-sales"]})
    ]


def test_who_waits_is_left_out_where_it_is_not_wanted(tmp_path: Path) -> None:
    template = alerts(CHANNELS["slack"], tmp_path, waiting=False)
    assert len(template.all("AWS::Events::Rule")) == 1


def test_stages_of_one_stack_share_no_queue(tmp_path: Path) -> None:
    queues = {
        alerts(CHANNELS["slack"], tmp_path / stage, stage=stage).one("AWS::SQS::Queue")["QueueName"]
        for stage in ("production", "staging")
    }
    assert len(queues) == 2


@pytest.mark.parametrize("name", CHANNELS)
def test_body_stays_json_whatever_an_error_says(name: str, tmp_path: Path) -> None:
    template = alerts(CHANNELS[name], tmp_path)
    sent = bodies(template, an_event(summary=NASTY, summary_for_blocked=NASTY)).values()
    assert any(_contains(body, NASTY) for body in sent)


def _contains(body: Any, text: str) -> bool:
    if isinstance(body, dict):
        return any(_contains(value, text) for value in body.values())
    if isinstance(body, list):
        return any(_contains(value, text) for value in body)
    return bool(body == text)


@pytest.mark.parametrize("name", CHANNELS)
def test_a_value_is_a_whole_field_of_the_event(name: str, tmp_path: Path) -> None:
    template = alerts(CHANNELS[name], tmp_path)
    for rule in template.all("AWS::Events::Rule").values():
        text = rule["Targets"][0]["InputTransformer"]["InputTemplate"]
        for match in re.finditer(r'[^"<>]?<[A-Za-z-]+>[^"<>]?', text):
            assert match[0][0] in '<":', match[0]
            assert match[0][-1] in '>",}', match[0]


def test_slack_gets_channel_text_and_next_command(tmp_path: Path) -> None:
    template = alerts(CHANNELS["slack"], tmp_path)
    own, waiting = bodies(template, an_event()).values()
    assert own["channel"] == "#sales"
    assert own["text"] == "task-1 failed (2 times): ValueError: no such day"
    assert own["attachments"][0]["fields"][-1]["value"].startswith("dyna logs ")
    assert waiting["text"].startswith("waits for team-a; nothing to do")


def test_teams_gets_an_adaptive_card(tmp_path: Path) -> None:
    template = alerts(CHANNELS["teams"], tmp_path)
    own, _ = bodies(template, an_event()).values()
    (attachment,) = own["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["body"][0]["text"].startswith("task-1 failed")


def test_pagerduty_triggers_and_resolves_under_one_key(tmp_path: Path) -> None:
    template = alerts(CHANNELS["pagerduty"], tmp_path)
    sent = list(bodies(template, an_event()).values())
    assert sorted(body["event_action"] for body in sent) == ["resolve", "trigger"]
    assert {body["dedup_key"] for body in sent} == {golden("IncidentOpened")["detail"]["incident"]}
    assert len(template.all("AWS::Events::Rule")) == 2, "who waits is not paged"


def test_webhook_gets_the_whole_event(tmp_path: Path) -> None:
    template = alerts(CHANNELS["webhook"], tmp_path)
    own, _ = bodies(template, an_event()).values()
    assert own == {"event": "IncidentOpened", "detail": golden("IncidentOpened")["detail"]}


def test_topic_gets_one_line(tmp_path: Path) -> None:
    template = alerts(None, tmp_path)
    assert sorted(bodies(template, an_event()).values()) == [
        "task-1 failed (2 times): ValueError: no such day",
        golden("IncidentOpened")["detail"]["summary_for_blocked"],
    ]


@pytest.mark.parametrize("name", CHANNELS)
def test_secret_is_a_reference_and_what_fails_a_dead_letter(name: str, tmp_path: Path) -> None:
    template = alerts(CHANNELS[name], tmp_path)
    connection = template.one("AWS::Events::Connection")
    key = connection["AuthParameters"]["ApiKeyAuthParameters"]
    assert "{{resolve:secretsmanager:alerts/team-sales" in json.dumps(key["ApiKeyValue"])
    for rule in template.all("AWS::Events::Rule").values():
        target = rule["Targets"][0]
        assert target["DeadLetterConfig"]["Arn"]
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 86_400


@pytest.mark.parametrize(
    ("name", "where"),
    [("pagerduty", ("BodyParameters", "routing_key")), ("teams", ("QueryStringParameters", "sig"))],
)
def test_secret_goes_where_its_receiver_wants_it(
    name: str, where: tuple[str, str], tmp_path: Path
) -> None:
    template = alerts(CHANNELS[name], tmp_path)
    parameters = template.one("AWS::Events::Connection")["AuthParameters"][
        "InvocationHttpParameters"
    ]
    (parameter,) = parameters[where[0]]
    assert (parameter["Key"], parameter["IsValueSecret"]) == (where[1], True)


def test_bus_of_the_stage_is_found_by_its_parameter(tmp_path: Path) -> None:
    template = alerts(CHANNELS["slack"], tmp_path, bus=None)
    parameters = template.content["Parameters"].values()
    assert "/cordyna/production/bus" in {parameter["Default"] for parameter in parameters}


@pytest.mark.parametrize("name", [*CHANNELS, "topic"])
def test_cdk_nag_has_no_findings_in_the_alerts(name: str, tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    stack = Stack(app, "team-sales")
    bus = events.EventBus.from_event_bus_name(stack, "Bus", "cordyna")
    channel: Webhook | Topic = CHANNELS.get(name) or Topic(
        sns.Topic(stack, "Topic", enforce_ssl=True)
    )
    IncidentAlerts(stack, "Alerts", owner="team-sales", channel=channel, bus=bus)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()

"""The TaskServer construct, as another team uses it in a stack of its own."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3

from architecture.repository import ROOT
from cordyna_cdk import Container, TaskServer
from cordyna_core.errors import UserError
from infra.conftest import REVISION
from infra.templates import Template, listed, templates_in, text_of

SERVER = """
from cordyna_core import TaskServer
server = TaskServer("sales", owner="team-s")

@server.task({declared})
def total():
    return 1
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with the module `sales` in it."""
    return written(tmp_path / "src")


def written(folder: Path, declared: str = "") -> Path:
    folder.mkdir()
    (folder / "sales.py").write_text(SERVER.format(declared=declared))
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return folder


def deployed(tmp_path: Path, **given: Any) -> Template:
    app = App(outdir=str(tmp_path / "out"), context={"cordyna:revision": REVISION})
    TaskServer(Stack(app, "cordyna-team"), "Sales", server="sales:server", **given)
    app.synth()
    return templates_in(tmp_path / "out")["team"]


def test_three_lines_are_a_server_that_each_command_invokes(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code)
    rule = template.one("AWS::Events::Rule")
    assert rule["EventPattern"]["detail"] == {"server": ["sales", "*"]}
    function = template.all("AWS::Lambda::Function")[
        text_of(rule["Targets"][0]["Arn"]).removeprefix("<").removesuffix(".Arn>")
    ]
    assert function["Handler"] == "cordyna_core.aws.lambda_handlers.handler"
    told = function["Environment"]["Variables"]
    assert (told["CORDYNA_SERVER"], told["CORDYNA_REVISION"]) == ("sales:server", REVISION)
    assert "CORDYNA_QUEUE_URL" not in told
    assert template.all("AWS::Lambda::EventSourceMapping") == {}


def test_it_finds_its_stage_by_ssm_and_needs_no_export_of_cerebros_stack(
    tmp_path: Path, code: Path
) -> None:
    parameters = deployed(tmp_path, code=code, stage="staging").content["Parameters"].values()
    assert {each["Default"] for each in parameters} >= {
        "/cordyna/staging/bus",
        "/cordyna/staging/layer",
    }


def test_at_most_so_many_bodies_at_a_time_stand_behind_a_door(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, max_concurrency=5)
    source = template.one("AWS::Lambda::EventSourceMapping")
    assert source["ScalingConfig"] == {"MaximumConcurrency": 5}
    assert source["BatchSize"] == 1
    entered = {
        each["FunctionName"]: each["Handler"]
        for each in template.all("AWS::Lambda::Function").values()
        if "FunctionName" in each
    }
    assert entered == {
        "sales-door": "cordyna_core.aws.lambda_handlers.door",
        "sales-worker": "cordyna_core.aws.lambda_handlers.worker",
    }


def test_the_door_does_not_run_bodies_and_so_claims_nothing(tmp_path: Path, code: Path) -> None:
    statements = deployed(tmp_path, code=code, max_concurrency=5).statements_of("SalesDoorRole")
    assert [each["Action"] for each in statements if "dynamodb" in listed(each["Action"])[0]] == [
        "dynamodb:UpdateItem"
    ]


@pytest.mark.parametrize("at_once", [0, 1, 1001])
def test_a_concurrency_that_sqs_does_not_know_is_refused(
    tmp_path: Path, code: Path, at_once: int
) -> None:
    with pytest.raises(ValueError, match="2 to 1000"):
        deployed(tmp_path, code=code, max_concurrency=at_once)


def test_a_container_sleeps_behind_its_door_and_costs_nothing_there(
    tmp_path: Path, code: Path
) -> None:
    template = deployed(tmp_path, code=code, container=Container(workers=2, at_most=3))
    service = template.one("AWS::ECS::Service")
    assert service["DesiredCount"] == 0
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "ENABLED"
    for standing in ("AWS::EC2::NatGateway", "AWS::ElasticLoadBalancingV2::LoadBalancer"):
        assert template.all(standing) == {}
    assert {each["VpcEndpointType"] for each in template.all("AWS::EC2::VPCEndpoint").values()} == {
        "Gateway"
    }
    assert "SecurityGroupIngress" not in template.one("AWS::EC2::SecurityGroup")
    target = template.one("AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 3)


def test_a_container_is_woken_by_its_door_and_put_to_sleep_only_when_nothing_runs(
    tmp_path: Path, code: Path
) -> None:
    alarms = (
        deployed(tmp_path, code=code, container=Container()).all("AWS::CloudWatch::Alarm").values()
    )
    asked = {
        next(m["Label"] for m in each["Metrics"] if "Expression" in m): each for each in alarms
    }
    measured = {
        label: {
            m.get("MetricStat", {}).get("Metric", {}).get("MetricName") for m in each["Metrics"]
        }
        - {None}
        for label, each in asked.items()
    }
    assert "Invocations" in measured["wake"]
    assert measured["sleep"] >= {
        "Invocations",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible",
    }
    assert asked["sleep"]["EvaluationPeriods"] == 10


def test_a_container_may_hold_its_messages_while_bodies_run(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, container=Container())
    actions = {
        action
        for each in template.statements_of("SalesWorkersRole")
        for action in listed(each["Action"])
    }
    assert "sqs:ChangeMessageVisibility" in actions


def test_a_lambda_with_a_task_of_more_than_fifteen_minutes_is_refused(tmp_path: Path) -> None:
    code = written(tmp_path / "src", 'run_timeout_s="20m"')
    for given in ({}, {"max_concurrency": 4}):
        with pytest.raises(UserError, match="a Lambda cannot run every task") as refused:
            deployed(tmp_path, code=code, **given)
        assert "total declares run_timeout_s=1200" in str(refused.value)
    deployed(tmp_path, code=code, container=Container())


def test_the_default_run_clock_is_only_a_wait_and_a_lambda_may_have_it(
    tmp_path: Path, code: Path
) -> None:
    assert deployed(tmp_path, code=code).all("AWS::Lambda::Function")


def test_a_container_and_a_concurrency_exclude_each_other(tmp_path: Path, code: Path) -> None:
    with pytest.raises(ValueError, match="Container"):
        deployed(tmp_path, code=code, container=Container(), max_concurrency=3)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder nowhere"):
        deployed(tmp_path, code="nowhere")


def test_it_is_declared_after_every_deployment(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code)
    trigger = template.one("Custom::Trigger")
    version = trigger["HandlerArn"]["Ref"]
    assert version in template.all("AWS::Lambda::Version")
    # The version's name is a hash of the function, the revision included: a new revision is a new version, which is declared.
    other = App(outdir=str(tmp_path / "next"), context={"cordyna:revision": "8"})
    TaskServer(Stack(other, "cordyna-team"), "Sales", code=code, server="sales:server")
    other.synth()
    assert (
        templates_in(tmp_path / "next")["team"].one("Custom::Trigger")["HandlerArn"]["Ref"]
        != version
    )


def test_what_a_body_needs_besides_is_granted_to_who_runs_it(tmp_path: Path, code: Path) -> None:
    app = App(outdir=str(tmp_path / "out"))
    stack = Stack(app, "cordyna-team")
    server = TaskServer(stack, "Sales", code=code, server="sales:server", max_concurrency=2)
    s3.Bucket(stack, "Reports").grant_read(server.runs_as)
    app.synth()
    template = templates_in(tmp_path / "out")["team"]
    assert any(
        "s3:GetObject*" in listed(each["Action"])
        for each in template.statements_of("SalesWorkerRole")
    )


def test_the_construct_needs_the_library_and_the_cdk_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "infra" / "cordyna_cdk" / "pyproject.toml").read_text())[
        "project"
    ]
    assert [each.partition(">")[0] for each in project["dependencies"]] == [
        "cordyna-core",
        "aws-cdk-lib",
    ]
    sources = [path.read_text() for path in (ROOT / "infra" / "cordyna_cdk" / "src").rglob("*.py")]
    assert not any(
        "import cerebro" in text or "from cerebro" in text or "cordyna_infra" in text
        for text in sources
    )

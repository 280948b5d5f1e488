"""The TaskServer construct, as another team uses it in its own stack."""

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from architecture.repository import ROOT
from cordyna_cdk import Container, TaskServer, declaration_resource, entry_points
from cordyna_cdk.deployment_function.handler import declaration_in
from cordyna_core.errors import UserError
from cordyna_core.queued_hold import HOLD_S
from cordyna_core.start_hold import CLOCK_MARGIN_S
from infra.team_stack import SERVER, deployed, written
from infra.templates import Template, listed, templates_in, text_of


def source_of(template: Template, queue: str) -> dict[str, Any]:
    """Return the event source of a queue, a part of whose logical id is given."""
    (source,) = [
        source
        for source in template.all("AWS::Lambda::EventSourceMapping").values()
        if queue in text_of(source["EventSourceArn"])
    ]
    return source


def worker_source(template: Template) -> dict[str, Any]:
    """Return the event source of the function that runs the bodies."""
    return source_of(template, "WorkQueue")


def id_in(arn: Any) -> str:
    """Return the logical id of the resource of an ARN."""
    return text_of(arn).removeprefix("<").removesuffix(".Arn>")


def test_unlimited_server_is_a_lambda_behind_its_rule(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, max_concurrency="unlimited")
    rule = template.one("AWS::Events::Rule")
    assert rule["EventPattern"]["detail"] == {"server": ["sales", "*"]}
    function = template.all("AWS::Lambda::Function")[
        text_of(rule["Targets"][0]["Arn"]).removeprefix("<").removesuffix(".Arn>")
    ]
    assert function["Handler"] == "cordyna_core.entrypoints.lambda_handlers.handler"
    variables = function["Environment"]["Variables"]
    assert variables["CORDYNA_SERVER"] == "sales:server"
    assert "CORDYNA_QUEUE_URL" not in variables
    assert template.all("AWS::Lambda::EventSourceMapping") == {}


def test_server_finds_its_stage_by_ssm(tmp_path: Path, code: Path) -> None:
    parameters = deployed(tmp_path, code=code, stage="staging").content["Parameters"].values()
    assert {parameter["Default"] for parameter in parameters} >= {
        "/cordyna/staging/bus",
        "/cordyna/staging/layer",
    }


def test_max_concurrency_adds_a_work_queue(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, max_concurrency=5)
    source = worker_source(template)
    assert source["ScalingConfig"] == {"MaximumConcurrency": 5}
    assert source["BatchSize"] == 1
    handlers = {
        function["FunctionName"]: function["Handler"]
        for function in template.all("AWS::Lambda::Function").values()
        if "FunctionName" in function
    }
    assert handlers == {
        "sales-deployment": "handler.handler",
        "sales-ingress": "cordyna_core.entrypoints.lambda_handlers.ingress",
        "sales-checks": "cordyna_core.entrypoints.lambda_handlers.checks",
        "sales-worker": "cordyna_core.entrypoints.lambda_handlers.worker",
    }


def test_default_server_leaves_the_account_its_lambdas(tmp_path: Path, code: Path) -> None:
    source = worker_source(deployed(tmp_path, code=code))
    assert source["ScalingConfig"] == {"MaximumConcurrency": 20}


def test_function_that_dies_is_reported_by_its_destination(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, max_concurrency="unlimited")
    functions = {
        name: properties["Handler"]
        for name, properties in template.all("AWS::Lambda::Function").items()
    }
    (config,) = [
        configuration
        for configuration in template.all("AWS::Lambda::EventInvokeConfig").values()
        if "DestinationConfig" in configuration
    ]
    reporter = config["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
    assert functions[config["FunctionName"]["Ref"]].endswith("lambda_handlers.handler")
    assert functions[reporter].endswith("lambda_handlers.failed")
    (invoke,) = [
        statement
        for statement in template.statements_of("SalesFunctionRole")
        if statement["Action"] == "lambda:InvokeFunction"
    ]
    assert text_of(invoke["Resource"]) == f"<{reporter}.Arn>"


def test_worker_may_give_back_messages(tmp_path: Path, code: Path) -> None:
    statements = deployed(tmp_path, code=code).statements_of("SalesWorkerRole")
    actions = {action for statement in statements for action in listed(statement["Action"])}
    assert "sqs:ChangeMessageVisibility" in actions


def test_entry_points_exist() -> None:
    for handler in (value for name, value in vars(entry_points).items() if name.isupper()):
        module, _, function = handler.rpartition(".")
        assert callable(getattr(importlib.import_module(module), function)), handler


def test_ingress_claims_no_attempts(tmp_path: Path, code: Path) -> None:
    statements = deployed(tmp_path, code=code, max_concurrency=5).statements_of("SalesIngressRole")
    assert [
        statement["Action"]
        for statement in statements
        if "dynamodb" in listed(statement["Action"])[0]
    ] == ["dynamodb:UpdateItem"]


def actions_on(template: Template, role: str, resource: str) -> set[str]:
    """Return what a role may do with a resource, each named by the begin of its logical id."""
    return {
        action
        for statement in template.statements_of(role)
        if resource in text_of(listed(statement["Resource"])[0])
        for action in listed(statement["Action"])
    }


@pytest.mark.parametrize("given", [{}, {"container": Container()}])
def test_ingress_checks_what_it_queued(tmp_path: Path, code: Path, given: dict[str, Any]) -> None:
    template = deployed(tmp_path, code=code, **given)
    source = source_of(template, "Checks")
    functions = template.all("AWS::Lambda::Function")
    function = functions[source["FunctionName"]["Ref"]]
    assert function["FunctionName"] == "sales-checks"
    assert function["Environment"]["Variables"].keys() >= {"CORDYNA_BUS", "CORDYNA_CLAIMS_TABLE"}
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # What one read of the claims may ask for (DynamoDB, BatchGetItem).
    assert source["BatchSize"] == 100
    # Both are in time for the default clock of 10 s: the delay of a check, and its batch.
    assert HOLD_S + source["MaximumBatchingWindowInSeconds"] < 10 - CLOCK_MARGIN_S
    queue = template.all("AWS::SQS::Queue")[id_in(source["EventSourceArn"])]
    window_s = source["MaximumBatchingWindowInSeconds"]
    assert queue["VisibilityTimeout"] >= 6 * (function["Timeout"] + window_s)
    dead_letters = id_in(queue["RedrivePolicy"]["deadLetterTargetArn"])
    assert template.all("AWS::SQS::Queue")[dead_letters]["QueueName"] == "sales-dead-letters"
    addressed = {
        function["FunctionName"]: function["Environment"]["Variables"]["CORDYNA_CHECK_QUEUE_URL"]
        for function in functions.values()
        if "CORDYNA_CHECK_QUEUE_URL" in function.get("Environment", {}).get("Variables", {})
    }
    assert addressed == {"sales-ingress": {"Ref": id_in(source["EventSourceArn"])}}


def test_checks_are_read_before_the_ingress_sends_any(tmp_path: Path, code: Path) -> None:
    resources = deployed(tmp_path, code=code).content["Resources"]
    (ingress,) = [
        resource
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function" and name.startswith("SalesIngress")
    ]
    sources = {
        name
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::EventSourceMapping"
        and "Checks" in text_of(resource["Properties"]["EventSourceArn"])
    }
    assert len(sources) == 1
    assert sources <= set(ingress["DependsOn"])


def test_checks_are_sent_and_handled_by_their_functions(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code)
    assert actions_on(template, "SalesIngressRole", "Checks") == {"sqs:SendMessage"}
    assert actions_on(template, "SalesIngressRole", "WorkQueue") == {"sqs:SendMessage"}
    assert actions_on(template, "SalesAcknowledgerRole", "Checks") == {
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    }
    assert actions_on(template, "SalesAcknowledgerRole", "Claims") == {
        "dynamodb:BatchGetItem",
        "dynamodb:UpdateItem",
    }
    assert actions_on(template, "SalesAcknowledgerRole", "bus") == {"events:PutEvents"}
    assert actions_on(template, "SalesAcknowledgerRole", "WorkQueue") == set()


def test_unlimited_server_has_no_checks(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, max_concurrency="unlimited")
    assert template.one("AWS::SQS::Queue")["QueueName"] == "sales-dead-letters"


@pytest.mark.parametrize("at_once", [0, 1, 1001])
def test_max_concurrency_out_of_range_is_refused(tmp_path: Path, code: Path, at_once: int) -> None:
    with pytest.raises(ValueError, match="2 to 1000"):
        deployed(tmp_path, code=code, max_concurrency=at_once)


def test_managed_instances_take_bodies_of_90_minutes(tmp_path: Path) -> None:
    code = written(tmp_path / "src", 'run_timeout_s="80m"')
    unlimited = {"code": code, "max_concurrency": "unlimited", "managed_instances": True}
    template = deployed(tmp_path, **unlimited)
    functions = template.all("AWS::Lambda::Function").values()
    (server,) = [each for each in functions if each.get("FunctionName") == "sales"]
    assert server["Timeout"] == 5400


def test_managed_instances_behind_a_work_queue_are_refused(tmp_path: Path, code: Path) -> None:
    with pytest.raises(ValueError, match="unlimited"):
        deployed(tmp_path, code=code, managed_instances=True)


def test_managed_instances_take_no_longer_bodies(tmp_path: Path) -> None:
    code = written(tmp_path / "src", 'run_timeout_s="2h"')
    with pytest.raises(UserError, match="5400"):
        deployed(tmp_path, code=code, max_concurrency="unlimited", managed_instances=True)


def test_lambda_with_a_run_clock_above_900_s_is_refused(tmp_path: Path) -> None:
    code = written(tmp_path / "src", 'run_timeout_s="20m"')
    for given in ({}, {"max_concurrency": 4}):
        with pytest.raises(UserError, match="a Lambda cannot run every task") as refused:
            deployed(tmp_path, code=code, **given)
        assert "total declares run_timeout_s=1200" in str(refused.value)
    deployed(tmp_path, code=code, container=Container())


def test_lambda_with_a_shorter_timeout_is_refused(tmp_path: Path) -> None:
    code = written(tmp_path / "src", 'run_timeout_s="5m"')
    for given in ({}, {"max_concurrency": "unlimited"}):
        with pytest.raises(UserError, match="it stops a body after 60 s") as refused:
            deployed(tmp_path, code=code, timeout=Duration.seconds(60), **given)
        assert "total declares run_timeout_s=300" in str(refused.value)
        deployed(tmp_path, code=code, timeout=Duration.seconds(300), **given)


@pytest.mark.parametrize(
    ("given", "timeout_s", "message"),
    [
        ({}, 901, "a Lambda runs for at most 900 s"),
        ({"max_concurrency": "unlimited", "managed_instances": True}, 5401, "at most 5400 s"),
        ({"container": Container()}, 60, "a container has no timeout"),
    ],
)
def test_timeout_that_cannot_apply_is_refused(
    tmp_path: Path, code: Path, given: dict[str, Any], timeout_s: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        deployed(tmp_path, code=code, timeout=Duration.seconds(timeout_s), **given)


@pytest.mark.parametrize("name", ["sales.eu", "s" * 128])
def test_any_server_name_gives_usable_names(tmp_path: Path, name: str) -> None:
    code = written(tmp_path / "src")
    (code / "sales.py").write_text(SERVER.format(declared="").replace('"sales"', f'"{name}"'))
    for given in ({"max_concurrency": "unlimited"}, {"container": Container()}):
        template = deployed(tmp_path, code=code, stage="staging", **given)
        for kind, attribute, pattern in (
            ("AWS::Lambda::Function", "FunctionName", r"[A-Za-z0-9_-]{1,64}"),
            ("AWS::SQS::Queue", "QueueName", r"[A-Za-z0-9_-]{1,80}"),
            ("AWS::ECS::Cluster", "ClusterName", r"[A-Za-z0-9_-]{1,255}"),
        ):
            for properties in template.all(kind).values():
                assert re.fullmatch(pattern, properties[attribute]), properties[attribute]


def test_logs_of_a_server_have_the_given_retention(tmp_path: Path, code: Path) -> None:
    week = logs.RetentionDays.ONE_WEEK
    for given in ({}, {"container": Container()}, {"max_concurrency": "unlimited"}):
        groups = deployed(tmp_path, code=code, log_retention=week, **given).all(
            "AWS::Logs::LogGroup"
        )
        kept = {group["LogGroupName"]: group["RetentionInDays"] for group in groups.values()}
        assert kept.pop("/aws/lambda/sales-deployment") == 30
        assert set(kept.values()) == {7}


def test_lambda_with_the_default_run_clock_is_accepted(tmp_path: Path, code: Path) -> None:
    assert deployed(tmp_path, code=code).all("AWS::Lambda::Function")


def test_container_with_max_concurrency_is_refused(tmp_path: Path, code: Path) -> None:
    with pytest.raises(ValueError, match="Container"):
        deployed(tmp_path, code=code, container=Container(), max_concurrency=3)


def test_only_code_of_a_project_is_deployed(tmp_path: Path, code: Path) -> None:
    for folder in (".venv", ".git", "node_modules", "__pycache__"):
        (code / folder).mkdir()
        (code / folder / "large").touch()
    deployed(tmp_path, code=code)
    packed = {
        file.name for folder in (tmp_path / "out").glob("asset.*") for file in folder.rglob("*")
    }
    assert "sales.py" in packed
    assert packed & {"large", ".venv", ".git", "node_modules", "Dockerfile"} == set()


def test_missing_code_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the folder nowhere does not exist"):
        deployed(tmp_path, code="nowhere")


def test_declaration_is_in_the_template_without_a_revision(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code)
    properties = template.one("Custom::CordynaServer")
    assert json.loads(properties["Declaration"]) == {
        "server": "sales",
        "contract": "1",
        "tasks": [{"name": "total", "owner": "team-s"}],
    }
    assert deployed(tmp_path / "again", code=code).content == template.content


def test_large_declaration_is_compressed(
    tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declaration_resource, "READABLE_CHARS_MAX", 20)
    properties = deployed(tmp_path, code=code).one("Custom::CordynaServer")
    assert "Declaration" not in properties
    assert declaration_in(properties)["tasks"] == [{"name": "total", "owner": "team-s"}]


@pytest.mark.parametrize("extra", [{}, {"max_concurrency": 2}, {"container": Container()}])
def test_server_is_declared_after_its_other_parts(
    tmp_path: Path, code: Path, extra: dict[str, Any]
) -> None:
    resources = deployed(tmp_path, code=code, **extra).content["Resources"]
    (declaration,) = [
        resource for resource in resources.values() if resource["Type"].startswith("Custom::")
    ]
    parts = {
        name
        for name, resource in resources.items()
        if resource["Type"] in ("AWS::Lambda::Function", "AWS::Events::Rule", "AWS::ECS::Service")
    }
    assert parts <= set(declaration["DependsOn"])


def test_only_the_deployment_may_declare_and_remove(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code)
    may_remove = [
        where
        for where, statement in template.statements()
        if "RemoveServer" in str(statement.get("Condition"))
    ]
    assert len(may_remove) == 1
    assert "Deployment" in may_remove[0]


def test_grants_go_to_the_role_of_the_body(tmp_path: Path, code: Path) -> None:
    app = App(outdir=str(tmp_path / "out"))
    stack = Stack(app, "cordyna-team")
    server = TaskServer(stack, "Sales", code=code, server="sales:server", max_concurrency=2)
    s3.Bucket(stack, "Reports").grant_read(server.body_grantee)
    app.synth()
    template = templates_in(tmp_path / "out")["team"]
    assert any(
        "s3:GetObject*" in listed(statement["Action"])
        for statement in template.statements_of("SalesWorkerRole")
    )


def test_construct_depends_on_library_and_cdk_only() -> None:
    project = tomllib.loads((ROOT / "infra" / "cordyna_cdk" / "pyproject.toml").read_text())[
        "project"
    ]
    assert [requirement.partition(">")[0] for requirement in project["dependencies"]] == [
        "cordyna-core",
        "aws-cdk-lib",
    ]
    sources = [path.read_text() for path in (ROOT / "infra" / "cordyna_cdk" / "src").rglob("*.py")]
    assert not any(
        "import cerebro" in text or "from cerebro" in text or "cordyna_infra" in text
        for text in sources
    )

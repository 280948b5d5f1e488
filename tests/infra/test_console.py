"""The hosted console: only where it is wanted, its routes behind tokens, a role a permission."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks
from pydantic import ValidationError

from app import cordyna
from architecture.repository import ROOT
from cordyna_console.hosted.app import hosted_routes
from cordyna_console.hosted.person import PERMISSIONS
from cordyna_console.hosted.sign_in import SignIn
from cordyna_core.contract.registry import Sender, sent_by
from cordyna_infra.console_stack import CONTEXT, HostedSignIn
from infra.conftest import synthesized
from infra.templates import Template, listed, templates_in, text_of
from infra.test_policies import findings, resolved

SIGN_IN = {
    "issuer": "https://login.example.org",
    "client_id": "the-client",
    "authorize": "https://login.example.org/oauth2/authorize",
    "token": "https://login.example.org/oauth2/token",
}
ROUTE, POLICY = "AWS::ApiGatewayV2::Route", "AWS::IAM::Policy"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("console.out")
    return synthesized(folder, console=json.dumps(SIGN_IN))["console"]


def test_console_is_deployed_only_where_it_is_wanted(stacks: dict[str, Template]) -> None:
    assert "console" not in stacks


def test_every_route_is_that_of_a_function_with_its_scope(console: Template) -> None:
    expected = {
        f"{method} /api/v1{route.path}": (permission, [f"cordyna/{permission}"])
        for permission in PERMISSIONS
        for route in hosted_routes(permission)
        for method in route.methods or ()
    }
    for path in ("GET /", "GET /{file+}"):
        expected[path] = ("look", [])
    found = {
        route["RouteKey"]: (_function_of(console, route), route.get("AuthorizationScopes", []))
        for route in console.all(ROUTE).values()
    }
    assert found == expected


def _function_of(console: Template, route: dict[str, Any]) -> str:
    target = text_of(route["Target"])
    integration = next(
        properties
        for name, properties in console.all("AWS::ApiGatewayV2::Integration").items()
        if name in target
    )
    name = text_of(integration["IntegrationUri"])
    return next(each for each in PERMISSIONS if name.startswith(f"<{each.capitalize()}"))


def test_only_the_page_is_served_without_a_token(console: Template) -> None:
    open_routes = [
        route["RouteKey"]
        for route in console.all(ROUTE).values()
        if route.get("AuthorizationType") != "JWT"
    ]
    assert sorted(open_routes) == ["GET /", "GET /{file+}"]
    jwt = console.one("AWS::ApiGatewayV2::Authorizer")["JwtConfiguration"]
    assert jwt == {"Issuer": SIGN_IN["issuer"], "Audience": ["the-client"]}


def test_function_has_the_policies_of_its_permission(console: Template) -> None:
    policies = {
        name.removesuffix("Role")[:7]: [text_of(arn) for arn in role["ManagedPolicyArns"]]
        for name, role in console.all("AWS::IAM::Role").items()
    }
    prefix = "arn:aws:iam::111122223333:policy/cordyna-us-east-1-"
    found = {
        permission: sorted(arn.removeprefix(prefix) for arn in arns)
        for permission in PERMISSIONS
        for name, arns in policies.items()
        if name.startswith(permission.capitalize()[:4])
    }
    assert found == {"look": ["look"], "invoke": ["look"], "operate": ["look", "operate"]}


def test_only_invoke_speaks_and_only_as_a_named_client(console: Template) -> None:
    speaking = [
        (name, statement)
        for name, statement in console.statements()
        if "events:PutEvents" in listed(statement["Action"])
    ]
    ((name, statement),) = speaking
    assert "Invoke" in name
    assert statement["Condition"] == {
        "StringLike": {"events:source": "cordyna.client.*"},
        "StringEquals": {"events:detail-type": sorted(sent_by(Sender.CLIENT))},
    }


def test_policies_of_the_console_have_no_findings(console: Template) -> None:
    assert [
        problem
        for _, statement in console.statements()
        for problem in findings([resolved(statement)])
    ] == []


def test_functions_are_told_where_people_sign_in(console: Template) -> None:
    functions = console.all("AWS::Lambda::Function")
    assert len(functions) == len(PERMISSIONS)
    for properties in functions.values():
        variables = properties["Environment"]["Variables"]
        assert SignIn.parse(variables["CORDYNA_CONSOLE_SIGN_IN"]).token == SIGN_IN["token"]
        assert variables["CORDYNA_BUS"] == "cordyna"
        assert properties["Timeout"] < 30
        assert "ReservedConcurrentExecutions" not in properties


def test_nothing_of_the_console_costs_anything_idle(console: Template) -> None:
    kinds = {resource["Type"] for resource in console.content["Resources"].values()}
    assert kinds == {
        "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Integration",
        ROUTE, "AWS::ApiGatewayV2::Stage", POLICY, "AWS::IAM::Role", "AWS::Lambda::Function",
        "AWS::Lambda::Permission", "AWS::Logs::LogGroup",
    }  # fmt: skip


def test_console_may_be_an_object_of_cdk_json(tmp_path: Path) -> None:
    defaults: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    context = {**defaults, CONTEXT: {**SIGN_IN, "audience": "api://cordyna"}}
    cordyna(App(outdir=str(tmp_path), context=context)).synth()
    console = templates_in(tmp_path)["console"]
    jwt = console.one("AWS::ApiGatewayV2::Authorizer")["JwtConfiguration"]
    assert jwt["Audience"] == ["api://cordyna"]


def test_console_setting_with_a_mistake_is_refused() -> None:
    for wrong in ({}, {**SIGN_IN, "isuer": "x"}, {**SIGN_IN, "token": "http://x"}):
        with pytest.raises(ValidationError):
            HostedSignIn.parse(json.dumps(wrong))


def test_cdk_nag_has_no_findings_in_the_console(tmp_path: Path) -> None:
    defaults: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cordyna(App(outdir=str(tmp_path), context={**defaults, CONTEXT: SIGN_IN}))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()

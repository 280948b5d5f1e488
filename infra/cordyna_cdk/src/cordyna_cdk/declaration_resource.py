"""The custom resource that declares a task server when its stack is deployed, and removes it after.

Invariant: the template holds the declaration, but no revision: an unchanged server has an empty
`cdk diff`, and a changed declaration is visible in it. Declaring and removing have permissions of
their own, which no body has.
"""

import base64
import zlib
from pathlib import Path
from typing import Final

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cordyna_cdk.guarded_function import GuardedFunction
from cordyna_cdk.loaded_server import LoadedServer
from cordyna_cdk.permissions import put_events_statement
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import detail_json
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.registry import Sender, sent_by_deployment

READABLE_CHARS_MAX: Final = 100_000
"""Larger declarations are compressed: CloudFormation hands a resource at most 256 KB."""

_CODE: Final = Path(__file__).parent / "deployment_function"


class DeclarationResource(Construct):
    """Declares `server` on the bus after everything else of its stack is deployed."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        server: LoadedServer,
        name: str,
        bus_name: str,
        bus_arn: str,
        query_function: str,
    ) -> None:
        super().__init__(scope, construct_id)
        function = GuardedFunction(
            self,
            "Function",
            name=name,
            handler="handler.handler",
            code=lambda_.Code.from_asset(str(_CODE), exclude=["__pycache__"]),
            layers=[],
            environment={},
            timeout=Duration.minutes(5),
            memory_mb=256,
        )
        source = server_source(server.name)
        function.add_to_role_policy(
            put_events_statement(bus_arn, [source], [ServerDeclared.__name__])
        )
        function.add_to_role_policy(
            put_events_statement(bus_arn, [source], sent_by_deployment(Sender.SERVER))
        )
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=[_function_arn(self, query_function)],
            )
        )
        self.resource: Final = CustomResource(
            self,
            "Declaration",
            service_token=function.function_arn,
            resource_type="Custom::CordynaServer",
            service_timeout=Duration.minutes(5),
            properties={
                "Server": server.name,
                "Bus": bus_name,
                "Query": query_function,
                **_declaration_property(server),
            },
        )
        # The permissions come before their use, and go after it.
        self.resource.node.add_dependency(function)


def _declaration_property(server: LoadedServer) -> dict[str, str]:
    declared = server.server.declaration
    without_revision = declared.model_copy(update={"meta": None}).model_dump(
        mode="json", exclude_none=True, exclude_unset=True, exclude={"revision", "meta"}
    )
    text = detail_json(ServerDeclared.model_validate(without_revision))
    if len(text) <= READABLE_CHARS_MAX:
        return {"Declaration": text}
    return {"CompressedDeclaration": base64.b64encode(zlib.compress(text.encode(), 9)).decode()}


def _function_arn(scope: Construct, name: str) -> str:
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:lambda:{stack.region}:{stack.account}:function:{name}"

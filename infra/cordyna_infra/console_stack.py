"""ConsoleStack: the console for people without AWS credentials. It is deployed only if the context
`cordyna:console` says where they sign in (docs/console.md).

    browser -> HTTP API, JWT authorizer -> look, invoke, operate      one Lambda for each permission

Invariant: the routes are those of the console's own table, each with the scope of its permission,
and each function has the policy of that permission only: IAM enforces what the table says. Idle,
nothing costs anything.
"""

import json
from collections.abc import Mapping
from typing import Final, Self

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack, Tags
from aws_cdk import aws_apigatewayv2 as api
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from cordyna_cdk import GuardedFunction
from cordyna_cdk.acknowledged_findings import acknowledge
from cordyna_cdk.discovery import Discovery
from cordyna_console.app import API_PREFIX
from cordyna_console.hosted.app import hosted_routes
from cordyna_console.hosted.person import PERMISSIONS
from cordyna_console.hosted.sign_in import SignIn
from cordyna_console.routes.shared import Permission
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.registry import Sender, sent_by
from cordyna_infra.asset_folders import console_folder
from cordyna_infra.stage import Stage

CONTEXT: Final = "cordyna:console"
TIMEOUT: Final = Duration.seconds(29)
"""API Gateway waits 30 s."""

REQUESTS_PER_S_MAX: Final = 50
REQUEST_BURST_MAX: Final = 100

_POLICIES: Final[Mapping[Permission, tuple[str, ...]]] = {
    "look": ("look",),
    "invoke": ("look",),
    "operate": ("look", "operate"),
}
"""Managed policies of `OperatorPolicies` by permission; `invoke` also speaks as any person."""

ACCESS_LOG_FIELDS: Final = (
    "requestId", "requestTime", "httpMethod", "path", "status", "responseLength",
    "authorizer.claims.sub", "authorizer.error", "integrationErrorMessage", "identity.sourceIp",
)  # fmt: skip


class HostedSignIn(SignIn):
    """Where people sign in, and what API Gateway verifies of their tokens.

    `audience`: of an access token; default: the client id.
    """

    issuer: str
    audience: str | None = None

    @classmethod
    def of(cls, scope: Construct) -> Self | None:
        """Return the context value, an object or JSON; None without one. Raises ValidationError."""
        value = scope.node.try_get_context(CONTEXT)
        if value is None:
            return None
        return cls.parse(value if isinstance(value, str) else json.dumps(value))


class ConsoleStack(Stack):
    """The hosted console of one stage."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, sign_in: HostedSignIn
    ) -> None:
        super().__init__(scope, construct_id, description=f"console of cordyna, {stage.name}")
        Tags.of(self).add("cordyna:stage", stage.name)
        Tags.of(self).add("cordyna:part", "console")
        self._stage, self._sign_in = stage, sign_in
        self._discovery = Discovery(self, stage.name)
        self._layer = lambda_.LayerVersion.from_layer_version_arn(
            self, "CordynaCore", self._discovery.find("layer")
        )
        self.functions = {name: self._function(name) for name in PERMISSIONS}
        self.api = self._api()
        self._add_routes()
        CfnOutput(self, "Address", value=self.api.api_endpoint)
        CfnOutput(
            self,
            "RedirectAddress",
            value=f"{self.api.api_endpoint}/signed-in",
            description="to be allowed by the identity provider",
        )

    def _function(self, permission: Permission) -> GuardedFunction:
        function = GuardedFunction(
            self,
            permission.capitalize(),
            name=f"{self._stage.bus}-console-{permission}",
            handler=f"cordyna_console.hosted.lambda_handlers.{permission}",
            code=lambda_.Code.from_asset(str(console_folder(self))),
            layers=[self._layer],
            environment={
                "CORDYNA_BUS": self._stage.bus,
                "CORDYNA_CONSOLE_SIGN_IN": json.dumps(
                    self._sign_in.model_dump(include=set(SignIn.model_fields))
                ),
            },
            timeout=TIMEOUT,
            memory_mb=1024,
            log_retention=self._stage.log_retention,
        )
        role = function.role
        assert role is not None
        for name in _POLICIES[permission]:
            policy = iam.ManagedPolicy.from_managed_policy_name(
                self,
                f"{permission.capitalize()}May{name.capitalize()}",
                f"{self._stage.bus}-{self.region}-{name}",
            )
            role.add_managed_policy(policy)
        if permission == "invoke":
            function.add_to_role_policy(self._speak_as_any_person())
        return function

    def _speak_as_any_person(self) -> iam.PolicyStatement:
        """The function names the person whose token was verified, never the plain client."""
        bus = self.format_arn(service="events", resource="event-bus", resource_name=self._stage.bus)
        return iam.PolicyStatement(
            actions=["events:PutEvents"],
            resources=[bus],
            conditions={
                "StringLike": {"events:source": f"{CLIENT}.*"},
                "StringEquals": {"events:detail-type": sorted(sent_by(Sender.CLIENT))},
            },
        )

    def _api(self) -> api.HttpApi:
        http_api = api.HttpApi(
            self,
            "Api",
            api_name=f"{self._stage.bus}-console",
            description=f"console of cordyna, {self._stage.name}",
            create_default_stage=False,
        )
        log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"/aws/vendedlogs/{self._stage.bus}-console",
            retention=self._stage.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        default = api.HttpStage(
            self,
            "Stage",
            http_api=http_api,
            auto_deploy=True,
            throttle=api.ThrottleSettings(
                rate_limit=REQUESTS_PER_S_MAX, burst_limit=REQUEST_BURST_MAX
            ),
        )
        resource = default.node.default_child
        assert isinstance(resource, api.CfnStage)
        resource.access_log_settings = api.CfnStage.AccessLogSettingsProperty(
            destination_arn=log.log_group_arn,
            format=json.dumps({name: f"$context.{name}" for name in ACCESS_LOG_FIELDS}),
        )
        return http_api

    def _add_routes(self) -> None:
        authorizer = authorizers.HttpJwtAuthorizer(
            "Tokens",
            self._sign_in.issuer,
            jwt_audience=[self._sign_in.audience or self._sign_in.client_id],
        )
        for permission, function in self.functions.items():
            integration = integrations.HttpLambdaIntegration(
                permission.capitalize(), function, scope_permission_to_route=False
            )
            for route in hosted_routes(permission):
                self.api.add_routes(
                    path=f"{API_PREFIX}{route.path}",
                    methods=[api.HttpMethod[method] for method in sorted(route.methods or ())],
                    integration=integration,
                    authorizer=authorizer,
                    authorization_scopes=[f"{self._sign_in.scope_prefix}{permission}"],
                )
            if permission == "look":
                self._add_page(integration)

    def _add_page(self, integration: integrations.HttpLambdaIntegration) -> None:
        for path in ("/", "/{file+}"):
            (route,) = self.api.add_routes(
                path=path,
                methods=[api.HttpMethod.GET],
                integration=integration,
                authorizer=api.HttpNoneAuthorizer(),
            )
            acknowledge(
                route,
                {
                    "AwsSolutions-APIG4": (
                        "The page is served before a person can sign in. It holds no data: what is "
                        "below /api is refused without verified claims."
                    )
                },
            )

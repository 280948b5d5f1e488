"""The bus: where everything passes, who may speak on it, and the log of all that was said.

Law: nobody but cerebro's own functions speaks as cerebro, whatever their account's other policies allow; and an account that is no
guest speaks as no guest (section 8).
"""

from collections.abc import Mapping, Sequence

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from cordyna_cdk import dead_letter_queue, may_say
from cordyna_cdk.permissions import allowed_detail_types
from cordyna_core.contract.ids import CEREBRO, SCHEDULER
from cordyna_infra.log_target import LogTarget
from cordyna_infra.stage import Stage


class Bus(Construct):
    """The bus of a stage, with the log group `/aws/events/<bus>` that holds every event."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self._name = stage.bus
        self.bus = events.EventBus(
            self, "Bus", event_bus_name=stage.bus, description=f"cordyna, {stage.name}"
        )
        self.log = logs.LogGroup(
            self,
            "EveryEvent",
            log_group_name=f"/aws/events/{stage.bus}",
            retention=stage.log_retention,
            removal_policy=stage.removal,
        )
        self.dead_letters = dead_letter_queue(self, f"{stage.bus}-log")
        self._log_every_event(stage)

    @property
    def arn(self) -> str:
        """Of the bus."""
        return self.bus.event_bus_arn

    def restrict(
        self, *, cerebro: Sequence[iam.IRole], guests: Mapping[str, Sequence[str]]
    ) -> None:
        """Say who may speak: as cerebro only its own roles; as a guest only its own account (account id -> its sources).

        Whoever is of this account speaks by the policies of its role.
        """
        statements = [self._only_these(cerebro)]
        for account, sources in guests.items():
            statements += [self._admit(account, sources), self._bind(account, sources)]
        # A resource of its own per statement would do as well, but the policy is easier to read in one piece.
        resource = self.bus.node.default_child
        assert isinstance(resource, events.CfnEventBus)
        resource.policy = iam.PolicyDocument(statements=statements)

    def _only_these(self, roles: Sequence[iam.IRole]) -> iam.PolicyStatement:
        return self._deny(
            "OnlyCerebro",
            {
                "StringEquals": {"events:source": [CEREBRO, SCHEDULER]},
                "ArnNotEquals": {"aws:PrincipalArn": [role.role_arn for role in roles]},
            },
        )

    def _admit(self, account: str, sources: Sequence[str]) -> iam.PolicyStatement:
        allow = may_say(
            self._own_arn,
            sources,
            sorted({kind for source in sources for kind in allowed_detail_types(source)}),
        )
        allow.sid = f"Admit{account}"
        allow.add_aws_account_principal(account)
        return allow

    def _bind(self, account: str, sources: Sequence[str]) -> iam.PolicyStatement:
        return self._deny(
            f"Bind{account}",
            {
                "StringEquals": {"events:source": sorted(sources)},
                "StringNotEquals": {"aws:PrincipalAccount": account},
            },
        )

    def _deny(
        self, sid: str, conditions: dict[str, dict[str, list[str] | str]]
    ) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid=sid,
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["events:PutEvents"],
            resources=[self._own_arn],
            conditions=conditions,
        )

    @property
    def _own_arn(self) -> str:
        """The bus's own policy cannot refer to the bus."""
        return Stack.of(self).format_arn(
            service="events", resource="event-bus", resource_name=self._name
        )

    def _log_every_event(self, stage: Stage) -> None:
        # The CDK's own target would set up the resource policy by a Lambda; CloudFormation has a resource for it.
        allowed = logs.ResourcePolicy(
            self,
            "EventsMayLog",
            resource_policy_name=f"{stage.bus}-events-may-log",
            policy_statements=[
                iam.PolicyStatement(
                    principals=[
                        iam.ServicePrincipal("events.amazonaws.com"),
                        iam.ServicePrincipal("delivery.logs.amazonaws.com"),
                    ],
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[self.log.log_group_arn],
                )
            ],
        )
        rule = events.Rule(
            self,
            "LogEveryEvent",
            event_bus=self.bus,
            description="every event of the bus, into its log group",
            event_pattern=events.EventPattern(source=events.Match.prefix("")),
            targets=[LogTarget(self.log, self.dead_letters)],
        )
        rule.node.add_dependency(allowed)

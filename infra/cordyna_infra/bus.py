"""The event bus, its resource policy, and the log of every event.

Invariant: only cerebro's own functions publish as cerebro, whatever other policies of the account
allow; and only a guest's own account publishes under the sources of that guest.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Fn, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from cordyna_cdk import dead_letter_queue, put_events_statement
from cordyna_cdk.permissions import allowed_detail_types
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.ids import CEREBRO, SCHEDULER
from cordyna_core.contract.registry import MESSAGES
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_infra.rule_targets import LogTarget
from cordyna_infra.stage import Stage

_OF_ONE_ATTEMPT: Final = (RunTask.__name__, CancelTask.__name__, TaskStateChanged.__name__)


class StageBus(Construct):
    """The bus of a stage, and the log group `/aws/events/<bus>-...` of every event."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, key: kms.IKey | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        self._name = stage.bus
        self.bus = events.EventBus(
            self, "Bus", event_bus_name=stage.bus, description=f"cordyna, {stage.name}"
        )
        self.log = logs.LogGroup(
            self,
            "EveryEvent",
            # Part of the stack's id, so that a log that an earlier stack left behind is no
            # obstacle.
            log_group_name=f"/aws/events/{stage.bus}-{_stack_suffix(self)}",
            retention=stage.log_retention,
            removal_policy=stage.removal,
            encryption_key=key,
        )
        self.dead_letters = dead_letter_queue(self, f"{stage.bus}-log", key=key)
        self._log_every_event(stage)

    @property
    def arn(self) -> str:
        """The ARN of the bus."""
        return self.bus.event_bus_arn

    def restrict(
        self, *, cerebro: Sequence[iam.IRole], guests: Mapping[str, Sequence[str]]
    ) -> None:
        """Restrict publishing by the policy of the bus.

        Only the roles `cerebro` publish as cerebro. `guests`: account id -> the sources that only
        it may use. Roles of this account publish by their own policies.
        """
        statements = [self._reserve_for_cerebro(cerebro)]
        for account, sources in guests.items():
            statements += [self._admit(account, sources), self._bind(account, sources)]
        # One policy is easier to read than one resource per statement.
        resource = self.bus.node.default_child
        assert isinstance(resource, events.CfnEventBus)
        resource.policy = iam.PolicyDocument(statements=statements)

    def _reserve_for_cerebro(self, roles: Sequence[iam.IRole]) -> iam.PolicyStatement:
        return self._deny(
            "OnlyCerebro",
            {
                "StringEquals": {"events:source": [CEREBRO, SCHEDULER]},
                "ArnNotEquals": {"aws:PrincipalArn": [role.role_arn for role in roles]},
            },
        )

    def _admit(self, account: str, sources: Sequence[str]) -> iam.PolicyStatement:
        allow = put_events_statement(
            self._own_arn,
            sources,
            sorted({name for source in sources for name in allowed_detail_types(source)}),
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
        """Written out, because the policy of the bus cannot refer to the bus."""
        return Stack.of(self).format_arn(
            service="events", resource="event-bus", resource_name=self._name
        )

    @property
    def _own_rules(self) -> str:
        """The rules of this bus, whose names CloudFormation makes up."""
        return Stack.of(self).format_arn(
            service="events", resource="rule", resource_name=f"{self._name}/*"
        )

    def _log_every_event(self, stage: Stage) -> None:
        # The CDK's own target sets up the resource policy by a Lambda; CloudFormation has a
        # resource. A new stream is not created on behalf of a rule, so only what is written names
        # one (Amazon EventBridge, resource-based policies, CloudWatch Logs).
        policy = logs.ResourcePolicy(
            self,
            "EventsMayLog",
            resource_policy_name=f"{stage.bus}-events-may-log",
            policy_statements=[
                self._log_statement("logs:CreateLogStream"),
                self._log_statement(
                    "logs:PutLogEvents",
                    conditions={"ArnLike": {"aws:SourceArn": self._own_rules}},
                ),
            ],
        )
        pattern = logged_events(self)
        if pattern is None:
            return
        rule = events.Rule(
            self,
            "LogEveryEvent",
            event_bus=self.bus,
            description="events of the bus to its log group (cordyna:event-log)",
            event_pattern=pattern,
            targets=[LogTarget(self.log, self.dead_letters)],
        )
        rule.node.add_dependency(policy)

    def _log_statement(
        self, action: str, conditions: Mapping[str, Mapping[str, str]] | None = None
    ) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            principals=[
                iam.ServicePrincipal("events.amazonaws.com"),
                iam.ServicePrincipal("delivery.logs.amazonaws.com"),
            ],
            actions=[action],
            resources=[self.log.log_group_arn],
            conditions=conditions,
        )


def logged_events(scope: Construct) -> events.EventPattern | None:
    """Return which events are logged: the context value `cordyna:event-log`. Raises ValueError.

    `all` (default); `commands-and-ends`: without the events of single attempts, which are most of
    them; `off`: none.
    """
    value = str(scope.node.try_get_context("cordyna:event-log") or "all")
    if value == "off":
        return None
    if value == "all":
        return events.EventPattern(source=events.Match.prefix(""))
    if value == "commands-and-ends":
        return events.EventPattern(
            detail_type=[name for name in MESSAGES if name not in _OF_ONE_ATTEMPT]
        )
    raise ValueError(f"cordyna:event-log is {value!r}: it must be all, commands-and-ends or off")


def _stack_suffix(scope: Construct) -> str:
    """Return eight characters of the stack's unique id (arn:...:stack/NAME/GUID)."""
    guid = Fn.select(2, Fn.split("/", Stack.of(scope).stack_id))
    return Fn.select(0, Fn.split("-", guid))

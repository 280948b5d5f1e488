"""OperationsStack: alarms, dashboard and event archive of one stage. Everything runs without it,
too.

The alarms notify the topic `<bus>-alarms`; `-c cordyna:on-call=someone@example.org` subscribes an
address to it. The archive stores every event for a replay (Amazon EventBridge archives).
"""

from collections.abc import Sequence

from aws_cdk import Duration, Stack, Tags
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from cordyna_cdk import TaskServer
from cordyna_cdk.context_flags import is_disabled
from cordyna_infra.alarms import Alarms
from cordyna_infra.dashboard import dashboard
from cordyna_infra.names import CerebroNames
from cordyna_infra.stage import Stage

_ARCHIVED_DAYS = 30


class OperationsStack(Stack):
    """Alarms, dashboard and archive of one stage."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        servers: Sequence[TaskServer],
    ) -> None:
        super().__init__(scope, construct_id, description=f"monitoring of cordyna, {stage.name}")
        Tags.of(self).add("cordyna:stage", stage.name)
        Tags.of(self).add("cordyna:part", "operations")
        self.topic = self._topic(stage)
        names = CerebroNames(self, stage)
        dead_letters = {**names.dead_letters, **_dead_letters_of(servers)}
        self.alarms = Alarms(
            self, "Alarms", names=names, dead_letters=dead_letters, topic=self.topic
        )
        is_archived = not is_disabled(self, "archive")
        dashboard(
            self,
            "Dashboard",
            names=names,
            dead_letters=dead_letters,
            alarms=self.alarms.all,
            is_archived=is_archived,
        )
        if is_archived:
            self._archive(stage)

    def _topic(self, stage: Stage) -> sns.Topic:
        topic = sns.Topic(
            self,
            "Topic",
            topic_name=f"{stage.bus}-alarms",
            display_name=f"cordyna, {stage.name}",
            enforce_ssl=True,
        )
        # An explicit policy replaces the default one, which lets the account publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        # Empty where a pipeline has no address.
        if address := self.node.try_get_context("cordyna:on-call"):
            topic.add_subscription(subscriptions.EmailSubscription(address))
        return topic

    def _archive(self, stage: Stage) -> None:
        events.Archive(
            self,
            "Archive",
            archive_name=stage.bus,
            source_event_bus=events.EventBus.from_event_bus_name(self, "Bus", stage.bus),
            description="every event, for a replay",
            event_pattern=events.EventPattern(source=events.Match.prefix("cordyna.")),
            retention=Duration.days(_ARCHIVED_DAYS),
        )


def _dead_letters_of(servers: Sequence[TaskServer]) -> dict[str, str]:
    """What a dead-letter queue belongs to -> its name, which is not a reference to its stack."""
    return {owner: name for server in servers for owner, name in server.dead_letter_names.items()}

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
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_cdk import TaskServer
from cordyna_cdk.context_flags import is_disabled
from cordyna_infra.alarms import Alarms
from cordyna_infra.cerebro_stack import CerebroStack
from cordyna_infra.dashboard import dashboard
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
        cerebro: CerebroStack,
        servers: Sequence[TaskServer],
    ) -> None:
        super().__init__(scope, construct_id, description=f"monitoring of cordyna, {stage.name}")
        Tags.of(self).add("cordyna:stage", stage.name)
        Tags.of(self).add("cordyna:part", "operations")
        self.topic = self._topic(stage)
        dead_letters = self._dead_letters(cerebro, servers)
        self.alarms = Alarms(
            self, "Alarms", cerebro=cerebro, dead_letters=dead_letters, topic=self.topic
        )
        dashboard(
            self, "Dashboard", cerebro=cerebro, dead_letters=dead_letters, alarms=self.alarms.all
        )
        if not is_disabled(self, "archive"):
            self._archive(stage, cerebro)

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
        if (address := self.node.try_get_context("cordyna:on-call")) is not None:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        return topic

    def _dead_letters(
        self, cerebro: CerebroStack, servers: Sequence[TaskServer]
    ) -> dict[str, sqs.IQueue]:
        """Every dead-letter queue, by the name of what it belongs to."""
        queues: dict[str, sqs.IQueue] = dict(cerebro.all_dead_letters)
        for server in servers:
            for queue, suffix in zip(server.dead_letters, ("", "-work"), strict=False):
                queues[f"{server.loaded.name}{suffix}"] = queue
        return queues

    def _archive(self, stage: Stage, cerebro: CerebroStack) -> None:
        events.Archive(
            self,
            "Archive",
            archive_name=stage.bus,
            source_event_bus=cerebro.bus.bus,
            description="every event, for a replay",
            event_pattern=events.EventPattern(source=events.Match.prefix("cordyna.")),
            retention=Duration.days(_ARCHIVED_DAYS),
        )

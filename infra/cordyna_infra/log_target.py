"""A rule's target that is a log group, with a dead-letter queue."""

import jsii
from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk.interfaces import aws_events as interfaces


@jsii.implements(events.IRuleTarget)
class LogTarget:
    """As the CDK's `CloudWatchLogGroup`, without the Lambda that sets up its resource policy."""

    def __init__(self, log: logs.LogGroup, dead_letters: sqs.Queue) -> None:
        self._log, self._dead_letters = log, dead_letters

    def bind(
        self,
        rule: interfaces.IRuleRef,
        id: str | None = None,  # noqa: A002 (the interface of the CDK)
    ) -> events.RuleTargetConfig:
        """The configuration of the target for `rule`."""
        self._dead_letters.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self._dead_letters.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.rule_ref.rule_arn}},
            )
        )
        arn = Stack.of(self._log).format_arn(
            service="logs",
            resource="log-group",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
            resource_name=self._log.log_group_name,
        )
        return events.RuleTargetConfig(
            arn=arn,
            dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                arn=self._dead_letters.queue_arn
            ),
        )

"""Targets of rules: a queue, and a log group; each with a dead-letter queue.

Invariant: a queue admits EventBridge for the rules that deliver to it and for no others, even if it
is encrypted with a key of the customer, where the CDK's own target admits every rule of the
account.
"""

import jsii
from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk.interfaces import aws_events as interfaces


@jsii.implements(events.IRuleTarget)
class QueueTarget:
    """A queue that receives whole events.

    The key of an encrypted queue must permit its use by EventBridge (`encryption`).
    """

    def __init__(self, queue: sqs.Queue, dead_letters: sqs.Queue) -> None:
        self._queue, self._dead_letters = queue, dead_letters

    def bind(
        self,
        rule: interfaces.IRuleRef,
        id: str | None = None,  # noqa: A002 (the interface of the CDK)
    ) -> events.RuleTargetConfig:
        """Return the configuration of the target for `rule`."""
        _admit(self._queue, rule)
        return _config(self._queue.queue_arn, self._dead_letters, rule)


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
        """Return the configuration of the target for `rule`."""
        arn = Stack.of(self._log).format_arn(
            service="logs",
            resource="log-group",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
            resource_name=self._log.log_group_name,
        )
        return _config(arn, self._dead_letters, rule)


def _config(
    arn: str, dead_letters: sqs.Queue, rule: interfaces.IRuleRef
) -> events.RuleTargetConfig:
    _admit(dead_letters, rule)
    return events.RuleTargetConfig(
        arn=arn,
        dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=dead_letters.queue_arn),
    )


def _admit(queue: sqs.Queue, rule: interfaces.IRuleRef) -> None:
    queue.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["sqs:SendMessage"],
            resources=[queue.queue_arn],
            conditions={"ArnEquals": {"aws:SourceArn": rule.rule_ref.rule_arn}},
        )
    )

"""Scaling: instances by what waits; none when nothing does.

Law: an instance is taken away only when nothing has been running for ten minutes, so a body is never stopped to save money. A container
that sleeps is awake within its 10-minute start clock: the queue's own metrics are up to 15 minutes late when it was idle for six hours
(Amazon SQS, available CloudWatch metrics), so the door's invocations wake it, which are a minute or two late. A roll call passes the door
as well and wakes an instance for some minutes; that costs a cent.
"""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

_MINUTE: Final = Duration.minutes(1)
_QUIET_MINUTES: Final = 10


class QueueScaling(Construct):
    """Wakes the service, adds to it while more waits than its instances take, and puts it to sleep."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        service: ecs.FargateService,
        queue: sqs.Queue,
        door: lambda_.IFunction,
        workers: int,
        at_most: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self._instances = scaling.ScalableTarget(
            self,
            "Instances",
            service_namespace=scaling.ServiceNamespace.ECS,
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{service.cluster.cluster_name}/{service.service_name}",
            min_capacity=0,
            max_capacity=at_most,
        )
        self._metrics: dict[str, cloudwatch.IMetric] = {
            "door": door.metric_invocations(period=_MINUTE),
            "waiting": queue.metric_approximate_number_of_messages_visible(
                period=_MINUTE, statistic="Maximum"
            ),
            "running": queue.metric_approximate_number_of_messages_not_visible(
                period=_MINUTE, statistic="Maximum"
            ),
        }
        to_exactly = scaling.AdjustmentType.EXACT_CAPACITY
        asleep = "IF(FILL(running, 0) == 0, FILL(door, 0) + FILL(waiting, 0), 0)"
        self._step("Wake", asleep, at_least=1, minutes=1, change=1, kind=to_exactly)
        self._step(
            "Grow",
            "FILL(waiting, 0)",
            at_least=workers,
            minutes=2,
            change=1,
            kind=scaling.AdjustmentType.CHANGE_IN_CAPACITY,
        )
        quiet = "IF(FILL(door, 0) + FILL(waiting, 0) + FILL(running, 0) == 0, 1, 0)"
        self._step("Sleep", quiet, at_least=1, minutes=_QUIET_MINUTES, change=0, kind=to_exactly)

    def _step(
        self,
        name: str,
        expression: str,
        *,
        at_least: int,
        minutes: int,
        change: int,
        kind: scaling.AdjustmentType,
    ) -> None:
        step = scaling.StepScalingAction(
            self,
            f"{name}Step",
            scaling_target=self._instances,
            adjustment_type=kind,
            cooldown=Duration.minutes(2),
        )
        step.add_adjustment(adjustment=change, lower_bound=0)
        used = {metric: self._metrics[metric] for metric in self._metrics if metric in expression}
        cloudwatch.MathExpression(
            label=name.lower(), expression=expression, using_metrics=used, period=_MINUTE
        ).create_alarm(
            self,
            name,
            threshold=at_least,
            evaluation_periods=minutes,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            alarm_description=f"No alarm, but scaling: {name.lower()}.",
        ).add_alarm_action(actions.ApplicationScalingAction(step))

"""Scaling of a container service by its work queue, from and to zero.

Invariant: instances are removed only when nothing has run for ten minutes, so a body is never
stopped to save money. A sleeping service starts within its 10-minute start clock: the queue's own
metrics are up to 15 minutes late after six idle hours (Amazon SQS, available CloudWatch metrics),
so the invocations of the ingress wake it, whose metrics are a minute or two late. A request to
redeclare passes the ingress, too, and wakes an instance for some minutes, which costs a cent.
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
_IDLE_MINUTES: Final = 10


class QueueScaling(Construct):
    """Starts the first instance, adds instances while messages wait, and scales to zero."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        service: ecs.FargateService,
        queue: sqs.Queue,
        ingress: lambda_.IFunction,
        workers: int,
        max_instances: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self._instances = scaling.ScalableTarget(
            self,
            "Instances",
            service_namespace=scaling.ServiceNamespace.ECS,
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{service.cluster.cluster_name}/{service.service_name}",
            min_capacity=0,
            max_capacity=max_instances,
        )
        self._metrics: dict[str, cloudwatch.IMetric] = {
            "ingress": ingress.metric_invocations(period=_MINUTE),
            "waiting": queue.metric_approximate_number_of_messages_visible(
                period=_MINUTE, statistic="Maximum"
            ),
            "running": queue.metric_approximate_number_of_messages_not_visible(
                period=_MINUTE, statistic="Maximum"
            ),
        }
        exact = scaling.AdjustmentType.EXACT_CAPACITY
        wake = "IF(FILL(running, 0) == 0, FILL(ingress, 0) + FILL(waiting, 0), 0)"
        self._step("Wake", wake, threshold=1, minutes=1, change=1, kind=exact)
        self._step(
            "Grow",
            "FILL(waiting, 0)",
            threshold=workers,
            minutes=2,
            change=1,
            kind=scaling.AdjustmentType.CHANGE_IN_CAPACITY,
        )
        idle = "IF(FILL(ingress, 0) + FILL(waiting, 0) + FILL(running, 0) == 0, 1, 0)"
        self._step("Sleep", idle, threshold=1, minutes=_IDLE_MINUTES, change=0, kind=exact)

    def _step(
        self,
        name: str,
        expression: str,
        *,
        threshold: int,
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
        metrics = {
            metric: self._metrics[metric] for metric in self._metrics if metric in expression
        }
        cloudwatch.MathExpression(
            label=name.lower(), expression=expression, using_metrics=metrics, period=_MINUTE
        ).create_alarm(
            self,
            name,
            threshold=threshold,
            evaluation_periods=minutes,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            alarm_description=f"Scaling, no fault: {name.lower()}.",
        ).add_alarm_action(actions.ApplicationScalingAction(step))

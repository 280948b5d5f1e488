"""Metrics of cerebro (namespace: the bus; `cerebro.lambdas.metrics`), and of the AWS it uses."""

from collections.abc import Mapping
from typing import Final, Literal

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from cordyna_infra.names import CerebroNames

MINUTE: Final = Duration.minutes(1)
FIVE_MINUTES: Final = Duration.minutes(5)
SWEEP_PERIOD: Final = Duration.minutes(15)
CLOCKS: Final = ("ack_timeout", "start_timeout", "run_timeout")


def counted(
    names: CerebroNames, name: str, *, period: Duration = FIVE_MINUTES, **dimensions: str
) -> cloudwatch.Metric:
    """Return the sum of a metric of cerebro."""
    # A label would turn every alarm on it into metric math.
    return cloudwatch.Metric(
        namespace=names.bus,
        metric_name=name,
        statistic="Sum",
        period=period,
        dimensions_map=dimensions or None,
    )


def stuck_runs(names: CerebroNames) -> cloudwatch.Metric:
    """Return the clocks that expired without a timer; counted where the expiry is written."""
    return counted(names, "StuckRuns")


def ticks_missed(names: CerebroNames) -> cloudwatch.Metric:
    """Return the cron ticks that were not fired."""
    return counted(names, "TicksMissed")


def clocks_expired(names: CerebroNames) -> cloudwatch.MathExpression:
    """Return the sum of all three clocks."""
    return _sum_of(
        "clocks expired",
        {clock: counted(names, "ClockExpired", reason=clock) for clock in CLOCKS},
    )


def total(names: CerebroNames, kind: Literal["Errors", "Throttles"]) -> cloudwatch.MathExpression:
    """Return the sum over all functions."""
    return _sum_of(kind.lower(), _by_function(names, kind))


def throttles(names: CerebroNames) -> cloudwatch.MathExpression:
    """Return the sum of functions, table and wait state machine."""
    return _sum_of(
        "throttles",
        {
            **_by_function(names, "Throttles"),
            "reads": of_table(names, "ReadThrottleEvents"),
            "writes": of_table(names, "WriteThrottleEvents"),
            "waits": of_wait(names, "ExecutionThrottled"),
        },
    )


def timers_failed(names: CerebroNames) -> cloudwatch.MathExpression:
    """Return executions of the wait state machine that did not send their page timer."""
    return _sum_of(
        "timers failed",
        {
            "failed": of_wait(names, "ExecutionsFailed"),
            "late": of_wait(names, "ExecutionsTimedOut"),
        },
    )


def of_function(
    function: str,
    name: str,
    *,
    period: Duration = FIVE_MINUTES,
    statistic: str = "Sum",
    label: str | None = None,
) -> cloudwatch.Metric:
    """Return a Lambda metric of one function."""
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name=name,
        dimensions_map={"FunctionName": function},
        statistic=statistic,
        period=period,
        label=label,
    )


def of_queue(
    queue: str,
    name: str,
    *,
    period: Duration = FIVE_MINUTES,
    statistic: str = "Maximum",
    label: str | None = None,
) -> cloudwatch.Metric:
    """Return an SQS metric of one queue."""
    return cloudwatch.Metric(
        namespace="AWS/SQS",
        metric_name=name,
        dimensions_map={"QueueName": queue},
        statistic=statistic,
        period=period,
        label=label,
    )


def of_wait(
    names: CerebroNames, name: str, *, period: Duration = FIVE_MINUTES
) -> cloudwatch.Metric:
    """Return the sum of a metric of the wait state machine."""
    return cloudwatch.Metric(
        namespace="AWS/States",
        metric_name=name,
        dimensions_map={"StateMachineArn": names.wait_arn},
        statistic="Sum",
        period=period,
        label=name,
    )


def of_table(
    names: CerebroNames, name: str, *, period: Duration = FIVE_MINUTES
) -> cloudwatch.Metric:
    """Return the sum of a DynamoDB metric of the state table."""
    return cloudwatch.Metric(
        namespace="AWS/DynamoDB",
        metric_name=name,
        dimensions_map={"TableName": names.table},
        statistic="Sum",
        period=period,
        label=name,
    )


def of_buses(name: str, *, period: Duration) -> cloudwatch.Metric:
    """The sum of a metric of PutEvents, which has no dimension: of the account and region."""
    return cloudwatch.Metric(
        namespace="AWS/Events", metric_name=name, statistic="Sum", period=period, label=name
    )


def of_schedules(names: CerebroNames, name: str, *, period: Duration) -> cloudwatch.Metric:
    """Return the sum of a metric of EventBridge Scheduler for crons and one-shot schedules."""
    return cloudwatch.Metric(
        namespace="AWS/Scheduler",
        metric_name=name,
        # The group is named after the bus (`timers`).
        dimensions_map={"ScheduleGroup": names.bus},
        statistic="Sum",
        period=period,
        label=name,
    )


def of_log(group: str, name: str, *, period: Duration) -> cloudwatch.Metric:
    """Return the sum of a CloudWatch Logs metric of a log group."""
    return cloudwatch.Metric(
        namespace="AWS/Logs",
        metric_name=name,
        dimensions_map={"LogGroupName": group},
        statistic="Sum",
        period=period,
        label=name,
    )


def _by_function(names: CerebroNames, kind: str) -> dict[str, cloudwatch.IMetric]:
    return {name: of_function(function, kind) for name, function in names.functions.items()}


def _sum_of(label: str, metrics: Mapping[str, cloudwatch.IMetric]) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        label=label,
        expression=" + ".join(f"FILL({name}, 0)" for name in metrics),
        using_metrics=dict(metrics),
        period=FIVE_MINUTES,
    )

"""Metrics of cerebro (namespace: the bus.

`cerebro.lambdas.metrics`), and of the AWS resources it uses.
"""

from collections.abc import Mapping
from typing import Final, Literal

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

from cordyna_infra.cerebro_stack import CerebroStack

FIVE_MINUTES: Final = Duration.minutes(5)
SWEEP_PERIOD: Final = Duration.minutes(15)
CLOCKS: Final = ("ack_timeout", "start_timeout", "run_timeout")


def counted(
    cerebro: CerebroStack, name: str, *, period: Duration = FIVE_MINUTES, **dimensions: str
) -> cloudwatch.Metric:
    """The sum of a metric of cerebro."""
    # A label would turn every alarm on it into metric math.
    return cloudwatch.Metric(
        namespace=cerebro.stage_.bus,
        metric_name=name,
        statistic="Sum",
        period=period,
        dimensions_map=dimensions or None,
    )


def stuck_runs(cerebro: CerebroStack) -> cloudwatch.Metric:
    """The stuck runs that the last sweep found."""
    return counted(cerebro, "StuckRuns", period=SWEEP_PERIOD).with_(statistic="Maximum")


def ticks_missed(cerebro: CerebroStack) -> cloudwatch.Metric:
    """The cron ticks that were not fired."""
    return counted(cerebro, "TicksMissed")


def clocks_expired(cerebro: CerebroStack) -> cloudwatch.MathExpression:
    """The sum of all three clocks."""
    return cloudwatch.MathExpression(
        label="clocks expired",
        expression=" + ".join(f"FILL({clock}, 0)" for clock in CLOCKS),
        using_metrics={clock: counted(cerebro, "ClockExpired", reason=clock) for clock in CLOCKS},
        period=FIVE_MINUTES,
    )


def total(
    functions: Mapping[str, lambda_.IFunction], kind: Literal["errors", "throttles"]
) -> cloudwatch.MathExpression:
    """The sum over all functions."""
    metrics = {
        name: getattr(function, f"metric_{kind}")(period=FIVE_MINUTES, statistic="Sum")
        for name, function in functions.items()
    }
    return cloudwatch.MathExpression(
        label=kind,
        expression=" + ".join(f"FILL({name}, 0)" for name in metrics),
        using_metrics=metrics,
        period=FIVE_MINUTES,
    )


def throttles(cerebro: CerebroStack) -> cloudwatch.MathExpression:
    """The sum of functions, table and wait state machine."""
    functions = {
        name: function.metric_throttles(period=FIVE_MINUTES, statistic="Sum")
        for name, function in cerebro.functions.items()
    }
    metrics: dict[str, cloudwatch.IMetric] = {
        **functions,
        "reads": of_table(cerebro, "ReadThrottleEvents"),
        "writes": of_table(cerebro, "WriteThrottleEvents"),
        "waits": cerebro.timers.wait.metric(
            "ExecutionThrottled", period=FIVE_MINUTES, statistic="Sum"
        ),
    }
    return cloudwatch.MathExpression(
        label="throttles",
        expression=" + ".join(f"FILL({name}, 0)" for name in metrics),
        using_metrics=metrics,
        period=FIVE_MINUTES,
    )


def timers_failed(cerebro: CerebroStack) -> cloudwatch.MathExpression:
    """Executions of the wait state machine that did not send their page timer."""
    wait = cerebro.timers.wait
    return cloudwatch.MathExpression(
        label="timers failed",
        expression="FILL(failed, 0) + FILL(late, 0)",
        using_metrics={
            "failed": wait.metric_failed(period=FIVE_MINUTES, statistic="Sum"),
            "late": wait.metric_timed_out(period=FIVE_MINUTES, statistic="Sum"),
        },
        period=FIVE_MINUTES,
    )


def of_table(
    cerebro: CerebroStack, name: str, *, period: Duration = FIVE_MINUTES
) -> cloudwatch.Metric:
    """The sum of a DynamoDB metric of the state table."""
    return cloudwatch.Metric(
        namespace="AWS/DynamoDB",
        metric_name=name,
        dimensions_map={"TableName": cerebro.table.table_name},
        statistic="Sum",
        period=period,
        label=name,
    )


def of_log(cerebro: CerebroStack, name: str, *, period: Duration) -> cloudwatch.Metric:
    """The sum of a CloudWatch Logs metric of the log of events (one entry per event)."""
    return cloudwatch.Metric(
        namespace="AWS/Logs",
        metric_name=name,
        dimensions_map={"LogGroupName": cerebro.bus.log.log_group_name},
        statistic="Sum",
        period=period,
        label=name,
    )

"""The dashboard: what a person on call asks, from top to bottom, a row for each question."""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_infra import metrics
from cordyna_infra.cerebro_stack import CerebroStack
from cordyna_infra.price import dollars_an_hour

_WIDTH: Final = 24
_MINUTE: Final = Duration.minutes(1)


def dashboard(
    scope: Construct,
    construct_id: str,
    *,
    cerebro: CerebroStack,
    dead_letters: Mapping[str, sqs.IQueue],
    alarms: Sequence[cloudwatch.IAlarm],
) -> cloudwatch.Dashboard:
    """The dashboard `<bus>`."""
    return cloudwatch.Dashboard(
        scope,
        construct_id,
        dashboard_name=cerebro.stage_.bus,
        default_interval=Duration.hours(3),
        widgets=[
            [
                cloudwatch.AlarmStatusWidget(
                    title="What is wrong now", alarms=list(alarms), width=_WIDTH, height=4
                )
            ],
            _row(
                _graph(
                    "Runs",
                    [
                        metrics.counted(cerebro, name, period=_MINUTE)
                        for name in ("RunsStarted", "RunsCompleted", "RunsFailed")
                    ],
                ),
                _graph(
                    "Tasks",
                    [
                        metrics.counted(cerebro, name, period=_MINUTE)
                        for name in ("TasksCompleted", "TasksFailed")
                    ],
                ),
                _graph(
                    "Stuck, missed, buried",
                    [
                        metrics.stuck_runs(cerebro),
                        metrics.ticks_missed(cerebro),
                        metrics.counted(cerebro, "DeadLettered"),
                    ],
                ),
            ),
            _row(
                _graph(
                    "From RunTask to its acknowledgement, by server: p50 and p99 (ms)",
                    [_ack(cerebro, "p50"), _ack(cerebro, "p99")],
                ),
                _graph(
                    "Clocks that ran out, by reason",
                    [_search(cerebro, "reason", "ClockExpired", "Sum", _MINUTE)],
                ),
                _graph("The oldest message of each queue (s)", _ages(cerebro)),
            ),
            _row(
                _graph("Errors of functions", _each(cerebro, "errors")),
                _graph("Throttles", [metrics.throttles(cerebro)]),
                _graph("Dead letters", _waiting(dead_letters)),
            ),
            _row(
                _graph("How long functions take, p99 (ms)", _durations(cerebro)),
                _graph(
                    "Timers: started, failed",
                    [
                        cerebro.timers.wait.metric_started(period=_MINUTE),
                        metrics.timers_failed(cerebro),
                    ],
                ),
                _graph(
                    "What an hour costs ($, listed prices)", dollars_an_hour(cerebro), stacked=True
                ),
            ),
        ],
    )


def _row(*graphs: cloudwatch.GraphWidget) -> list[cloudwatch.IWidget]:
    return list(graphs)


def _graph(
    title: str, lines: Sequence[cloudwatch.IMetric], *, stacked: bool = False
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(lines),
        width=_WIDTH // 3,
        height=6,
        stacked=stacked,
        left_y_axis=cloudwatch.YAxisProps(min=0),
    )


def _ack(cerebro: CerebroStack, statistic: str) -> cloudwatch.MathExpression:
    return _search(cerebro, "server", "AckLatency", statistic, _MINUTE)


def _search(
    cerebro: CerebroStack, dimension: str, name: str, statistic: str, period: Duration
) -> cloudwatch.MathExpression:
    """A line for each value of `dimension`: which servers there will be is not known here."""
    wanted = f'{{"{cerebro.stage_.bus}",{dimension}}} MetricName="{name}"'
    return cloudwatch.MathExpression(
        label=f"{statistic} ${{PROP('Dim.{dimension}')}}",
        expression=f"SEARCH('{wanted}', '{statistic}', {int(period.to_seconds())})",
        using_metrics={},
        period=period,
    )


def _ages(cerebro: CerebroStack) -> list[cloudwatch.IMetric]:
    return [
        fed.queue.metric_approximate_age_of_oldest_message(
            period=_MINUTE, statistic="Maximum", label=name
        )
        for name, fed in cerebro.queues.items()
    ]


def _each(cerebro: CerebroStack, what: str) -> list[cloudwatch.IMetric]:
    return [
        getattr(function, f"metric_{what}")(period=_MINUTE, statistic="Sum", label=name)
        for name, function in cerebro.functions.items()
    ]


def _durations(cerebro: CerebroStack) -> list[cloudwatch.IMetric]:
    return [
        function.metric_duration(period=_MINUTE, statistic="p99", label=name)
        for name, function in cerebro.functions.items()
    ]


def _waiting(dead_letters: Mapping[str, sqs.IQueue]) -> list[cloudwatch.IMetric]:
    return [
        queue.metric_approximate_number_of_messages_visible(
            period=_MINUTE, statistic="Maximum", label=name
        )
        for name, queue in dead_letters.items()
    ]

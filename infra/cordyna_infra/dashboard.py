"""The dashboard of a stage, for the person on call."""

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
                    title="Alarms: what is wrong now", alarms=list(alarms), width=_WIDTH, height=4
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
                    "Stuck runs, missed ticks, dead-lettered messages",
                    [
                        metrics.stuck_runs(cerebro),
                        metrics.ticks_missed(cerebro),
                        metrics.counted(cerebro, "DeadLettered"),
                    ],
                ),
            ),
            _row(
                _graph(
                    "RunTask to acknowledgement by server: p50 and p99 (ms)",
                    [_ack_latency(cerebro, "p50"), _ack_latency(cerebro, "p99")],
                ),
                _graph(
                    "Expired clocks by reason",
                    [_search(cerebro, "reason", "ClockExpired", "Sum", _MINUTE)],
                ),
                _graph("Age of the oldest message of each queue (s)", _ages(cerebro)),
            ),
            _row(
                _graph("Errors of functions", _function_sums(cerebro, "errors")),
                _graph("Throttles", [metrics.throttles(cerebro)]),
                _graph("Dead letters", _visible_messages(dead_letters)),
            ),
            _row(
                _graph("Duration of functions, p99 (ms)", _durations(cerebro)),
                _graph(
                    "Timers: started, failed",
                    [
                        cerebro.timers.wait.metric_started(period=_MINUTE),
                        metrics.timers_failed(cerebro),
                    ],
                ),
                _graph("Costs per hour ($, listed prices)", dollars_an_hour(cerebro), stacked=True),
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


def _ack_latency(cerebro: CerebroStack, statistic: str) -> cloudwatch.MathExpression:
    return _search(cerebro, "server", "AckLatency", statistic, _MINUTE)


def _search(
    cerebro: CerebroStack, dimension: str, name: str, statistic: str, period: Duration
) -> cloudwatch.MathExpression:
    """One line for each value of `dimension`, since the servers are not known here."""
    search = f'{{"{cerebro.stage_.bus}",{dimension}}} MetricName="{name}"'
    return cloudwatch.MathExpression(
        label=f"{statistic} ${{PROP('Dim.{dimension}')}}",
        expression=f"SEARCH('{search}', '{statistic}', {int(period.to_seconds())})",
        using_metrics={},
        period=period,
    )


def _ages(cerebro: CerebroStack) -> list[cloudwatch.IMetric]:
    return [
        handler_queue.queue.metric_approximate_age_of_oldest_message(
            period=_MINUTE, statistic="Maximum", label=name
        )
        for name, handler_queue in cerebro.queues.items()
    ]


def _function_sums(cerebro: CerebroStack, name: str) -> list[cloudwatch.IMetric]:
    return [
        getattr(function, f"metric_{name}")(period=_MINUTE, statistic="Sum", label=handler)
        for handler, function in cerebro.functions.items()
    ]


def _durations(cerebro: CerebroStack) -> list[cloudwatch.IMetric]:
    return [
        function.metric_duration(period=_MINUTE, statistic="p99", label=name)
        for name, function in cerebro.functions.items()
    ]


def _visible_messages(dead_letters: Mapping[str, sqs.IQueue]) -> list[cloudwatch.IMetric]:
    return [
        queue.metric_approximate_number_of_messages_visible(
            period=_MINUTE, statistic="Maximum", label=name
        )
        for name, queue in dead_letters.items()
    ]

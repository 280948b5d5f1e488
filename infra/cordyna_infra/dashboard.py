"""The dashboard of a stage, for the person on call."""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cordyna_infra import metrics
from cordyna_infra.names import CerebroNames
from cordyna_infra.price import dollars_an_hour

_WIDTH: Final = 24
_MINUTE: Final = Duration.minutes(1)


def dashboard(
    scope: Construct,
    construct_id: str,
    *,
    names: CerebroNames,
    dead_letters: Mapping[str, str],
    alarms: Sequence[cloudwatch.IAlarm],
    is_archived: bool,
) -> cloudwatch.Dashboard:
    """Return the dashboard `<bus>-<region>`."""
    return cloudwatch.Dashboard(
        scope,
        construct_id,
        # Names of dashboards are unique in an account, not in a region.
        dashboard_name=f"{names.bus}-{Stack.of(scope).region}",
        default_interval=Duration.hours(3),
        widgets=[
            [
                cloudwatch.AlarmStatusWidget(
                    title="Alarms: what is wrong now", alarms=list(alarms), width=_WIDTH, height=4
                )
            ],
            _work(names),
            _lag(names),
            _failures(names, dead_letters),
            _resources(names, is_archived=is_archived),
        ],
    )


def _work(names: CerebroNames) -> list[cloudwatch.IWidget]:
    """Return how many runs and tasks began and ended, and what is stuck."""
    return _row(
        _graph("Runs", _counts(names, "RunsStarted", "RunsCompleted", "RunsFailed")),
        _graph("Tasks", _counts(names, "TasksCompleted", "TasksFailed")),
        _graph(
            "Stuck runs, missed ticks, dead-lettered messages",
            [
                metrics.stuck_runs(names),
                metrics.ticks_missed(names),
                metrics.counted(names, "DeadLettered"),
            ],
        ),
    )


def _lag(names: CerebroNames) -> list[cloudwatch.IWidget]:
    """Return how late servers and cerebro's own handlers are."""
    return _row(
        _graph(
            "RunTask to acknowledgement by server: p50 and p99 (ms)",
            [_ack_latency(names, "p50"), _ack_latency(names, "p99")],
        ),
        _graph(
            "Expired clocks by reason", [_search(names, "reason", "ClockExpired", "Sum", _MINUTE)]
        ),
        _graph("Age of the oldest message of each queue (s)", _ages(names)),
    )


def _failures(names: CerebroNames, dead_letters: Mapping[str, str]) -> list[cloudwatch.IWidget]:
    return _row(
        _graph("Errors of functions", _function_sums(names, "Errors")),
        _graph("Throttles", [metrics.throttles(names)]),
        _graph("Dead letters", _visible_messages(dead_letters)),
    )


def _resources(names: CerebroNames, *, is_archived: bool) -> list[cloudwatch.IWidget]:
    """Return what cerebro uses of AWS, and what it costs."""
    return _row(
        _graph("Duration of functions, p99 (ms)", _durations(names)),
        _graph(
            "Timers: started, failed",
            [
                metrics.of_wait(names, "ExecutionsStarted", period=_MINUTE),
                metrics.timers_failed(names),
            ],
        ),
        _graph(
            "Costs per hour ($, listed prices)",
            dollars_an_hour(names, is_archived=is_archived),
            stacked=True,
        ),
    )


def _counts(names: CerebroNames, *counters: str) -> list[cloudwatch.IMetric]:
    return [metrics.counted(names, name, period=_MINUTE) for name in counters]


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


def _ack_latency(names: CerebroNames, statistic: str) -> cloudwatch.MathExpression:
    return _search(names, "server", "AckLatency", statistic, _MINUTE)


def _search(
    names: CerebroNames, dimension: str, name: str, statistic: str, period: Duration
) -> cloudwatch.MathExpression:
    """Return one line for each value of `dimension`, since the servers are not known here."""
    search = f'{{"{names.bus}",{dimension}}} MetricName="{name}"'
    return cloudwatch.MathExpression(
        label=f"{statistic} ${{PROP('Dim.{dimension}')}}",
        expression=f"SEARCH('{search}', '{statistic}', {int(period.to_seconds())})",
        using_metrics={},
        period=period,
    )


def _ages(names: CerebroNames) -> list[cloudwatch.IMetric]:
    return [
        metrics.of_queue(queue, "ApproximateAgeOfOldestMessage", period=_MINUTE, label=name)
        for name, queue in names.queues.items()
    ]


def _function_sums(names: CerebroNames, metric: str) -> list[cloudwatch.IMetric]:
    return [
        metrics.of_function(function, metric, period=_MINUTE, label=name)
        for name, function in names.functions.items()
    ]


def _durations(names: CerebroNames) -> list[cloudwatch.IMetric]:
    return [
        metrics.of_function(function, "Duration", period=_MINUTE, statistic="p99", label=name)
        for name, function in names.functions.items()
    ]


def _visible_messages(dead_letters: Mapping[str, str]) -> list[cloudwatch.IMetric]:
    return [
        metrics.of_queue(queue, "ApproximateNumberOfMessagesVisible", period=_MINUTE, label=owner)
        for owner, queue in dead_letters.items()
    ]

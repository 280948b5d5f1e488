"""The price of an hour of orchestration, from metrics and listed prices, without the tasks' own
work, and without what costs the same each hour (docs/operating.md).

The prices are those of us-east-1 in November 2026 (the services' pricing pages); another region
differs by some percent.
"""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from cordyna_infra import metrics
from cordyna_infra.handlers import HANDLERS
from cordyna_infra.names import CerebroNames

EVENT: Final = 1.00e-6
ARCHIVED_BYTE: Final = 0.10e-9
SCHEDULE: Final = 1.00e-6
LOGGED_BYTE: Final = 0.50e-9
WRITE: Final = 0.625e-6
READ: Final = 0.125e-6
INVOCATION: Final = 0.20e-6
GB_SECOND_ARM: Final = 13.3334e-6
WAIT: Final = 1.00e-6
WAIT_GB_SECOND: Final = 16.67e-6
QUEUE_REQUEST: Final = 0.40e-6

WAIT_GB: Final = 64 / 1024
"""The minimum memory that an Express execution is charged for."""

_HOUR: Final = Duration.hours(1)


def dollars_an_hour(names: CerebroNames, *, is_archived: bool) -> list[cloudwatch.IMetric]:
    """Return one line per service, and one for each log.

    `is_archived`: events are stored for a replay.
    """
    return [
        _events(),
        *([_archive()] if is_archived else []),
        _log(names),
        _logs_of_functions(names),
        _table(names),
        _functions(names),
        _queues(names),
        _waits(names),
        _schedules(names),
    ]


def _events() -> cloudwatch.MathExpression:
    # EventBridge counts them for an account, not for a bus; the log of events has fewer of them
    # where `cordyna:event-log` is not `all`.
    return _line(
        "events, of all buses",
        f"FILL(events, 0) * {_plain(EVENT)}",
        events=metrics.of_buses("PutEventsEntriesCount", period=_HOUR),
    )


def _archive() -> cloudwatch.MathExpression:
    return _line(
        "archive, of all buses",
        f"FILL(archived, 0) * {_plain(ARCHIVED_BYTE)}",
        archived=metrics.of_buses("PutEventsRequestSize", period=_HOUR),
    )


def _log(names: CerebroNames) -> cloudwatch.MathExpression:
    return _line(
        "log of events",
        f"FILL(bytes, 0) * {_plain(LOGGED_BYTE)}",
        bytes=metrics.of_log(names.events_log, "IncomingBytes", period=_HOUR),
    )


def _logs_of_functions(names: CerebroNames) -> cloudwatch.MathExpression:
    bytes_by_name: dict[str, cloudwatch.IMetric] = {
        f"{name}_bytes": metrics.of_log(f"/aws/lambda/{function}", "IncomingBytes", period=_HOUR)
        for name, function in names.functions.items()
    }
    logged = " + ".join(f"FILL({name}, 0)" for name in bytes_by_name)
    return _line("logs of functions", f"({logged}) * {_plain(LOGGED_BYTE)}", **bytes_by_name)


def _table(names: CerebroNames) -> cloudwatch.MathExpression:
    return _line(
        "DynamoDB",
        f"FILL(writes, 0) * {_plain(WRITE)} + FILL(reads, 0) * {_plain(READ)}",
        writes=metrics.of_table(names, "ConsumedWriteCapacityUnits", period=_HOUR),
        reads=metrics.of_table(names, "ConsumedReadCapacityUnits", period=_HOUR),
    )


def _functions(names: CerebroNames) -> cloudwatch.MathExpression:
    metrics_by_name: dict[str, cloudwatch.IMetric] = {}
    terms = []
    for name, function in names.functions.items():
        metrics_by_name[f"{name}_calls"] = metrics.of_function(
            function, "Invocations", period=_HOUR
        )
        metrics_by_name[f"{name}_ms"] = metrics.of_function(function, "Duration", period=_HOUR)
        price_per_ms = HANDLERS[name].memory_mb / 1024 * GB_SECOND_ARM / 1000
        terms.append(
            f"FILL({name}_calls, 0) * {_plain(INVOCATION)} "
            f"+ FILL({name}_ms, 0) * {_plain(price_per_ms)}"
        )
    return _line("Lambda", " + ".join(terms), **metrics_by_name)


def _queues(names: CerebroNames) -> cloudwatch.MathExpression:
    kinds = ("NumberOfMessagesSent", "NumberOfMessagesDeleted", "NumberOfEmptyReceives")
    metrics_by_name: dict[str, cloudwatch.IMetric] = {
        f"{name}_{number}": metrics.of_queue(queue, kind, period=_HOUR, statistic="Sum")
        for name, queue in names.queues.items()
        for number, kind in enumerate(kinds)
    }
    # A message is sent, received and deleted; receiving is counted with deleting.
    terms = (
        f"FILL({name}, 0) * {2 if name.endswith('_1') else 1} * {_plain(QUEUE_REQUEST)}"
        for name in metrics_by_name
    )
    return _line("SQS", " + ".join(terms), **metrics_by_name)


def _waits(names: CerebroNames) -> cloudwatch.MathExpression:
    per_ms = _plain(WAIT_GB * WAIT_GB_SECOND / 1000)
    return _line(
        "Step Functions",
        f"FILL(waits, 0) * {_plain(WAIT)} + FILL(billed, 0) * {per_ms}",
        waits=metrics.of_wait(names, "ExecutionsStarted", period=_HOUR),
        billed=metrics.of_wait(names, "ExpressExecutionBilledDuration", period=_HOUR),
    )


def _schedules(names: CerebroNames) -> cloudwatch.MathExpression:
    return _line(
        "Scheduler",
        f"FILL(schedules, 0) * {_plain(SCHEDULE)}",
        schedules=metrics.of_schedules(names, "InvocationAttemptCount", period=_HOUR),
    )


def _plain(number: float) -> str:
    """Return the number without an exponent, which CloudWatch's metric math does not accept."""
    return f"{number:.15f}".rstrip("0")


def _line(
    label: str, expression: str, **metrics_by_name: cloudwatch.IMetric
) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        label=label, expression=expression, using_metrics=metrics_by_name, period=_HOUR
    )

"""The price of an hour of orchestration, from metrics and listed prices, without the tasks' own
work.

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
LOGGED_BYTE: Final = 0.50e-9
WRITE: Final = 0.625e-6
READ: Final = 0.125e-6
INVOCATION: Final = 0.20e-6
GB_SECOND_ARM: Final = 13.3334e-6
WAIT: Final = 1.00e-6

_HOUR: Final = Duration.hours(1)


def dollars_an_hour(names: CerebroNames) -> list[cloudwatch.IMetric]:
    """One line per service."""
    return [_events(names), _table(names), _functions(names), _waits(names)]


def _events(names: CerebroNames) -> cloudwatch.MathExpression:
    return _line(
        "events and their log",
        f"FILL(events, 0) * {_plain(EVENT)} + FILL(bytes, 0) * {_plain(LOGGED_BYTE)}",
        events=metrics.of_log(names, "IncomingLogEvents", period=_HOUR),
        bytes=metrics.of_log(names, "IncomingBytes", period=_HOUR),
    )


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


def _waits(names: CerebroNames) -> cloudwatch.MathExpression:
    return _line(
        "Step Functions, without its seconds",
        f"FILL(waits, 0) * {_plain(WAIT)}",
        waits=metrics.of_wait(names, "ExecutionsStarted", period=_HOUR),
    )


def _plain(number: float) -> str:
    """The number without an exponent, which CloudWatch's metric math does not accept."""
    return f"{number:.15f}".rstrip("0")


def _line(
    label: str, expression: str, **metrics_by_name: cloudwatch.IMetric
) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        label=label, expression=expression, using_metrics=metrics_by_name, period=_HOUR
    )

"""Metrics of one Lambda invocation, written at its end as EMF lines in the log, for CloudWatch.

Invariant: names, units and dimensions are exactly those that the dashboard and its alarms read. The
namespace is the bus, which separates two stages in one account.
"""

from collections import Counter

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

Dimensions = tuple[tuple[str, str], ...]


class MetricsBuffer:
    """Counts and durations, by name and dimensions, until they are flushed."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._counts: Counter[tuple[str, Dimensions]] = Counter()
        self._durations: list[tuple[str, Dimensions, float]] = []

    def count(self, name: str, by: int = 1, **dimensions: str) -> None:
        """Add `by` to the count `name`."""
        self._counts[name, tuple(dimensions.items())] += by

    def record_duration(self, name: str, milliseconds: float, **dimensions: str) -> None:
        """Add one value to the distribution `name`."""
        self._durations.append((name, tuple(dimensions.items()), milliseconds))

    def flush(self) -> None:
        """Write one line for each set of dimensions, and empty the buffer."""
        counts = [
            (name, dimensions, MetricUnit.Count, float(value))
            for (name, dimensions), value in self._counts.items()
        ]
        durations = [
            (name, dimensions, MetricUnit.Milliseconds, value)
            for name, dimensions, value in self._durations
        ]
        self._counts.clear()
        self._durations.clear()
        lines: dict[Dimensions, EphemeralMetrics] = {}
        for name, dimensions, unit, value in [*counts, *durations]:
            if dimensions not in lines:
                lines[dimensions] = _line(self._namespace, dimensions)
            lines[dimensions].add_metric(name, unit, value)
        for line in lines.values():
            # A line that reached 100 values has flushed and emptied itself.
            if line.metric_set:
                line.flush_metrics()


def _line(namespace: str, dimensions: Dimensions) -> EphemeralMetrics:
    line = EphemeralMetrics(namespace=namespace, dimension_set=dict(dimensions))
    # Powertools would add the service name as a dimension, which no alarm reads.
    line.service = ""
    return line

"""Tally: what is counted while messages are handled, written as CloudWatch metrics (EMF lines in the log) at the end.

Law: names, units and dimensions are those of the dashboard and its alarms, and of nothing else. The namespace is the bus, so that two
stages in one account are told apart.
"""

from collections import Counter

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

Dimensions = tuple[tuple[str, str], ...]


class MetricsBuffer:
    """Counts and spans of time, by name and dimensions."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._counts: Counter[tuple[str, Dimensions]] = Counter()
        self._spans: list[tuple[str, Dimensions, float]] = []

    def count(self, name: str, by: int = 1, **dimensions: str) -> None:
        """`by` more of `name`."""
        self._counts[name, tuple(dimensions.items())] += by

    def span(self, name: str, milliseconds: float, **dimensions: str) -> None:
        """Something took so long."""
        self._spans.append((name, tuple(dimensions.items()), milliseconds))

    def flush(self) -> None:
        """Write what was counted, a line for each set of dimensions, and begin again."""
        counts = [
            (name, dimensions, MetricUnit.Count, float(value))
            for (name, dimensions), value in self._counts.items()
        ]
        spans = [
            (name, dimensions, MetricUnit.Milliseconds, value)
            for name, dimensions, value in self._spans
        ]
        self._counts.clear()
        self._spans.clear()
        lines: dict[Dimensions, EphemeralMetrics] = {}
        for name, dimensions, unit, value in [*counts, *spans]:
            if dimensions not in lines:
                lines[dimensions] = _line(self._namespace, dimensions)
            lines[dimensions].add_metric(name, unit, value)
        for line in lines.values():
            # A line that was full has written and emptied itself.
            if line.metric_set:
                line.flush_metrics()


def _line(namespace: str, dimensions: Dimensions) -> EphemeralMetrics:
    line = EphemeralMetrics(namespace=namespace, dimension_set=dict(dimensions))
    # A service name that somebody set for Lambda powertools would become a dimension that no alarm knows.
    line.service = ""
    return line

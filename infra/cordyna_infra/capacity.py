"""Capacity of cerebro's functions: how many run at a time, and what is reserved for them.

| context | effect | price |
|---|---|---|
| `cordyna:max-concurrency` | concurrent batches of a queue; default below | none |
| `cordyna:reserved-concurrency` | taken out of the account's pool for the function alone | none |
| `cordyna:provisioned-pollers` | pollers that are always ready; a maximum follows | by the hour |

Each is written `tracker=200,planner=50`. Nothing is reserved by default: AWS keeps 100 unreserved
for the account, and a new account may have no more than that.

Invariant: every queue has a maximum, so that a burst of one kind of message does not take the
account's concurrency from the others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

MAX_CONCURRENCY: Final[Mapping[str, int]] = {
    "registry": 2,
    "planner": 20,
    "tracker": 100,
    "timekeeper": 20,
    "incidents": 2,
}
"""Batches of up to ten messages that a queue's function handles at a time."""

CONCURRENCY_PER_POLLER: Final = 10
"""Of a provisioned poller (AWS Lambda, provisioned mode of SQS event sources)."""

POLLERS_MIN: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCapacity:
    """The capacity of one function that a queue feeds."""

    max_concurrency: int
    reserved_concurrency: int | None = None
    pollers: int | None = None

    @property
    def provisioned_pollers(self) -> lambda_.CfnEventSourceMapping.ProvisionedPollerConfigProperty:
        """The pollers of provisioned mode. Requires `pollers`."""
        least = max(POLLERS_MIN, self.pollers or 0)
        most = max(least, -(-self.max_concurrency // CONCURRENCY_PER_POLLER))
        return lambda_.CfnEventSourceMapping.ProvisionedPollerConfigProperty(
            minimum_pollers=least, maximum_pollers=most
        )


def capacities(scope: Construct) -> dict[str, FunctionCapacity]:
    """Return the capacity of each queue's function. Raises ValueError for a bad context value."""
    most = {**MAX_CONCURRENCY, **_numbers(scope, "cordyna:max-concurrency", MAX_CONCURRENCY)}
    reserved = _numbers(scope, "cordyna:reserved-concurrency", MAX_CONCURRENCY)
    pollers = _numbers(scope, "cordyna:provisioned-pollers", MAX_CONCURRENCY)
    for name, number in most.items():
        if not 2 <= number <= 1000:
            raise ValueError(f"cordyna:max-concurrency: {name}={number} is not within 2 to 1000")
        if (limit := reserved.get(name)) is not None and limit < number:
            raise ValueError(
                f"cordyna:reserved-concurrency: {name}={limit} is less than its maximum "
                f"concurrency of {number}: messages would be throttled and dead-lettered"
            )
    return {
        name: FunctionCapacity(
            max_concurrency=number,
            reserved_concurrency=reserved.get(name),
            pollers=pollers.get(name),
        )
        for name, number in most.items()
    }


def _numbers(scope: Construct, context: str, known: Iterable[str]) -> dict[str, int]:
    text = str(scope.node.try_get_context(context) or "")
    numbers = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        if name not in known or not number.isdecimal():
            raise ValueError(
                f"{context}: {part!r} is not NAME=NUMBER with a name of {', '.join(known)}"
            )
        numbers[name] = int(number)
    return numbers

"""Prices of AWS and durations of its calls: the data from which the price of a task is computed.

Prices are the listed ones of us-east-1 in November 2026, on demand, without free tiers, in dollars.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Price:
    """Dollars per million units, and the page that lists the price."""

    per_million: float
    source: str


EVENT: Final = Price(1.00, "Amazon EventBridge pricing: custom events")
WRITE: Final = Price(0.625, "Amazon DynamoDB pricing: on-demand write request units")
READ: Final = Price(0.125, "Amazon DynamoDB pricing: on-demand read request units")
QUEUE_REQUEST: Final = Price(
    0.40, "Amazon SQS pricing: standard queues; requests of EventBridge and Lambda's pollers count"
)
INVOCATION: Final = Price(0.20, "AWS Lambda pricing: requests")
GB_SECOND: Final = Price(13.3334, "AWS Lambda pricing: duration, Arm")
WAIT: Final = Price(1.00, "AWS Step Functions pricing: Express requests")
WAIT_GB_SECOND: Final = Price(16.67, "AWS Step Functions pricing: Express duration")
SCHEDULE: Final = Price(1.00, "Amazon EventBridge pricing: Scheduler invocations")

LOGGED_MB: Final = Price(500.0, "Amazon CloudWatch pricing: logs, collection, per million MB")
ARCHIVED_MB: Final = Price(100.0, "Amazon EventBridge pricing: archives, per million MB")

LAMBDA_GB: Final = 0.5
"""Memory of the handlers (infra/cordyna_infra/handlers.py)."""

WAIT_GB: Final = 64 / 1024
"""The minimum memory that an Express execution is charged for."""

OWN_MS: Final = 2.0
"""A handler's own CPU time per message at that size, without its calls (0.3 ms on a whole core)."""

CALL_MS: Final = {
    "GetItem": 4.0,
    "BatchGetItem": 8.0,
    "Query": 8.0,
    "PutItem": 6.0,
    "UpdateItem": 6.0,
    "DeleteItem": 6.0,
    "PutEvents": 15.0,
    "SendMessage": 10.0,
    "ChangeMessageVisibility": 10.0,
    "StartExecution": 20.0,
    "CreateSchedule": 30.0,
}
"""Milliseconds of a call, including the client's own work. Assumed, not measured: nothing here has
run on AWS. The price of Lambda's time is therefore shown by itself."""

"""Quotas: those of AWS that bound cordyna (docs/limits.md), as they apply to an account.

Invariant: a quota is found by a part of its title, because the codes differ by service and are not
stable. One that is not listed is not a failure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

UNRESERVED_MIN: Final = 100
"""What AWS keeps unreserved of an account's Lambda concurrency."""

LAMBDA_CONCURRENCY_MIN: Final = 244
"""The maximum concurrency of cerebro (infra/cordyna_infra/capacity.py) beside what is kept
unreserved.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A quota of AWS, by a part of its title in Service Quotas."""

    name: str
    service: str
    title: str
    least: float
    needed_for: str


QUOTAS: Final = (
    Quota(
        name="Lambda concurrency",
        service="lambda",
        title="Concurrent executions",
        least=LAMBDA_CONCURRENCY_MIN,
        needed_for="the maximum concurrency of cerebro beside what is kept unreserved",
    ),
    Quota(
        name="PutEvents per second",
        service="events",
        title="PutEvents throttle limit",
        least=600,
        needed_for="200 tasks a second",
    ),
    Quota(
        name="invocations of rules per second",
        service="events",
        title="Invocations throttle limit",
        least=1000,
        needed_for="200 tasks a second",
    ),
)


def value_of(quota: Quota, listed: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the value of a quota in what Service Quotas lists; None if it is not listed."""
    return next((float(q["Value"]) for q in listed if quota.title in q["QuotaName"]), None)


def shortfall(quota: Quota, value: float | None) -> str | None:
    """Return what to do about a quota that is too small or not listed; None if it suffices."""
    if value is None:
        return "look it up in the console: Service Quotas"
    if value < quota.least:
        return f"{quota.least:g} are needed for {quota.needed_for}: request an increase"
    return None

"""Sales: the records of the shop's till, and figures about them.

Invariant: money is whole cents, and a figure is a pure function of the records.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

LATEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """One line of an order."""

    at: datetime
    order: str
    sku: str
    quantity: int
    unit_price_cents: int
    region: str

    @property
    def cents(self) -> int:
        return self.quantity * self.unit_price_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The figures of some sales; `by_product` and `by_region` are in cents, the largest first."""

    orders: int
    items: int
    cents: int
    by_product: dict[str, int]
    by_region: dict[str, int]


def read_sales(text: str) -> list[Sale]:
    """Read the till's CSV export, in its order."""
    return [
        Sale(
            at=datetime.fromisoformat(row["at"]),
            order=row["order"],
            sku=row["sku"],
            quantity=int(row["quantity"]),
            unit_price_cents=int(row["unit_price_cents"]),
            region=row["region"],
        )
        for row in csv.DictReader(text.splitlines())
    ]


def day_named(name: str, sales: Sequence[Sale]) -> date:
    """Return the day that `name` means: `latest`, or an ISO date.

    Raises ValueError if nothing was sold on it.
    """
    days = {sale.at.date() for sale in sales}
    day = max(days) if name == LATEST else date.fromisoformat(name)
    if day not in days:
        raise ValueError(
            f"nothing was sold on {day}: the till's records go from {min(days)} to {max(days)}"
        )
    return day


def of_day(sales: Iterable[Sale], day: date) -> list[Sale]:
    return [sale for sale in sales if sale.at.date() == day]


def totals(sales: Sequence[Sale]) -> Totals:
    products: Counter[str] = Counter()
    regions: Counter[str] = Counter()
    for sale in sales:
        products[sale.sku] += sale.cents
        regions[sale.region] += sale.cents
    return Totals(
        orders=len({sale.order for sale in sales}),
        items=sum(sale.quantity for sale in sales),
        cents=sum(sale.cents for sale in sales),
        by_product=dict(products.most_common()),
        by_region=dict(regions.most_common()),
    )


def by_day(sales: Sequence[Sale], last: date, days: int) -> dict[str, int]:
    """Return the cents of each of the `days` days up to `last`, the earliest first."""
    cents = {(last - timedelta(days=ago)).isoformat(): 0 for ago in reversed(range(days))}
    for sale in sales:
        if (day := sale.at.date().isoformat()) in cents:
            cents[day] += sale.cents
    return cents


def hour_before(sales: Iterable[Sale], moment: datetime) -> list[Sale]:
    """Return what was sold in the hour before `moment`."""
    return [sale for sale in sales if moment - timedelta(hours=1) <= sale.at < moment]

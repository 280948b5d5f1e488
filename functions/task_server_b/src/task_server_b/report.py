"""Report: the day on one page of HTML, for people who do not read JSON.

Invariant: text from another team is escaped.
"""

from collections.abc import Mapping
from html import escape
from string import Template

from pydantic import BaseModel, ConfigDict

from task_server_b.money import price


class DaySales(BaseModel):
    """The output of team a's `task-1`."""

    model_config = ConfigDict(frozen=True)

    day: str
    orders: int
    items: int
    cents: int
    by_product: dict[str, int]
    by_region: dict[str, int]


class Purchases(BaseModel):
    """The output of `task-2`."""

    model_config = ConfigDict(frozen=True)

    lines: int
    cents: int
    by_supplier: dict[str, int]


_PAGE = Template("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>$day</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; color: #223; }
  td { padding: 0 1rem 0 0; } td:nth-child(2) { text-align: right; }
  i { display: inline-block; height: .7rem; background: #2a6a80; }
</style>
<h1>$day</h1>
<p>$orders orders, $items items, <b>$total</b>. To be bought: $lines products for $purchases.</p>
<h2>Regions</h2>
$regions
<h2>Best sold</h2>
$products
<h2>To order</h2>
$suppliers
</html>
""")


def render(sales: DaySales, purchases: Purchases, top: int) -> str:
    """Return the page, with the `top` products by revenue."""
    return _PAGE.substitute(
        day=escape(sales.day),
        orders=sales.orders,
        items=sales.items,
        total=price(sales.cents),
        lines=purchases.lines,
        purchases=price(purchases.cents),
        regions=_table(sales.by_region),
        products=_table(dict(list(sales.by_product.items())[:top])),
        suppliers=_table(purchases.by_supplier),
    )


def _table(cents: Mapping[str, int]) -> str:
    largest = max(cents.values(), default=0) or 1
    rows = (
        f"<tr><td>{escape(name)}</td><td>{price(amount)}</td>"
        f'<td><i style="width:{12 * amount / largest:.1f}rem"></i></td></tr>'
        for name, amount in cents.items()
    )
    return "\n".join(["<table>", *rows, "</table>"])

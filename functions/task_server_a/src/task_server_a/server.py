"""Team a's task server: its declared tasks, each composed of the modules beside this one.

None of these tasks has an upstream: other teams build on them.
"""

import json
import time
from dataclasses import asdict
from datetime import date, datetime, timedelta
from importlib.resources import files
from typing import Annotated, Any

from pydantic import Field

from cordyna_core import Context, TaskServer, TerminalError
from task_server_a import output, png, sales, stock, supplier_prices

server = TaskServer("task-server-a", owner="team-a")

Day = Annotated[
    str,
    Field(
        pattern=r"^(latest|\d{4}-\d\d-\d\d)$", description="`latest`, or a date such as 2026-10-24."
    ),
]
Output = dict[str, Any]

_DATA = files("task_server_a") / "data"
_WEEK_DAYS = 7
_LOOK_EVERY_S = 0.1
"""A cancellation ends a wait within this."""


@server.task()
def task_1(day: Day = "latest", *, ctx: Context) -> Output:
    """The sales of one day, by product and by region."""
    records, last_day = _sales_until(day)
    figures = {"day": last_day.isoformat(), **asdict(sales.totals(sales.of_day(records, last_day)))}
    return figures | {"path": output.write(ctx.run_id, "sales.json", json.dumps(figures, indent=1))}


@server.task()
def week_sales(day: Day = "latest", *, ctx: Context) -> Output:
    """The sales of each of the seven days up to `day`, and the total of the seven before."""
    records, last_day = _sales_until(day)
    week = sales.by_day(records, last_day, _WEEK_DAYS)
    before = sales.by_day(records, last_day - timedelta(days=_WEEK_DAYS), _WEEK_DAYS)
    path = output.write(
        ctx.run_id,
        "week.csv",
        "\n".join(["day,cents", *(f"{d},{cents}" for d, cents in week.items())]) + "\n",
    )
    return {"by_day": week, "cents_before": sum(before.values()), "path": path}


@server.task()
def stock_levels(*, ctx: Context) -> Output:
    """Which products run low, and what every product cost when it was last bought."""
    products = stock.read_stock(_text("stock.csv"))
    low = [asdict(product) for product in stock.low(products)]
    path = output.write(ctx.run_id, "low.json", json.dumps(low, indent=1))
    return {
        "products": len(products),
        "low": low,
        "pack_prices": {p.sku: p.pack_price_cents for p in products},
        "path": path,
    }


@server.task(name="supplier-prices")
def list_prices(*, ctx: Context) -> Output:
    """The suppliers' present prices. The shipped list is damaged, so this task always fails."""
    try:
        prices = supplier_prices.read_prices(_text("supplier_prices.csv"))
    except ValueError as damaged:
        # A retry would read the same damaged list.
        raise TerminalError(
            f"supplier_prices.csv: {damaged}; ask the supplier for a new list"
        ) from damaged
    return {"prices": prices, "path": output.write(ctx.run_id, "prices.json", json.dumps(prices))}


@server.task()
def thumbnail(
    width: Annotated[int, Field(ge=1, le=480)] = 120,
    wait_s: Annotated[float, Field(ge=0, le=300)] = 0,
    *,
    ctx: Context,
) -> Output:
    """The shop's picture, scaled down to `width` pixels.

    It begins after `wait_s` seconds, so that there is time to watch the run, or to cancel it.
    """
    begin = time.monotonic() + wait_s
    while time.monotonic() < begin and not ctx.cancelled:
        time.sleep(_LOOK_EVERY_S)
    small = png.thumbnail(png.decode((_DATA / "storefront.png").read_bytes()), width)
    data = png.encode(small)
    return {
        "width": small.width,
        "height": small.height,
        "bytes": len(data),
        "path": output.write(ctx.run_id, "storefront.png", data),
    }


@server.task(cron="* * * * *")
def order_pulse(*, ctx: Context) -> Output:
    """Every minute: the orders of the last hour.

    The last recorded day is replayed at the time of day of the tick.
    """
    records, last = _sales_until("latest")
    # Without a tick (a person invoked it), the last hour in which something was sold.
    moment = (
        _on(last, ctx.scheduled_at) if ctx.scheduled_at else records[-1].at + timedelta(minutes=1)
    )
    sold = sales.totals(sales.hour_before(records, moment))
    figures = {"until": moment.isoformat(), "orders": sold.orders, "cents": sold.cents}
    return figures | {"path": output.write(ctx.run_id, "pulse.json", json.dumps(figures))}


def _text(name: str) -> str:
    return (_DATA / name).read_text("utf-8")


def _sales_until(day: str) -> tuple[list[sales.Sale], date]:
    records = sales.read_sales(_text("sales.csv"))
    try:
        return records, sales.day_named(day, records)
    except ValueError as unknown:
        raise TerminalError(str(unknown)) from unknown


def _on(day: date, moment: datetime) -> datetime:
    """Return `day` at the time of day of `moment`, without a zone, as the till writes it."""
    return datetime.combine(day, moment.time().replace(tzinfo=None))

"""Team b's task server: its declared tasks, each composed of the modules beside this one.

Every task has an upstream of team a, of which it knows only the name and the output.
"""

from typing import Annotated, Any

from pydantic import Field

from cordyna_core import Context, TaskServer
from task_server_b import output, pages, purchase, report, suppliers
from task_server_b.trend import Trend, WeekSales, trend

server = TaskServer("task-server-b", owner="team-b")

Output = dict[str, Any]


@server.task(upstream=["stock-levels"])
def task_2(cover: Annotated[float, Field(ge=1, le=10)] = 2, *, ctx: Context) -> Output:
    """Purchase orders that bring what runs low to `cover` times its reorder point."""
    stock = purchase.StockLevels.model_validate(ctx.upstream["stock-levels"])
    lines = purchase.order_lines(stock.low, cover)
    path = output.write(ctx.run_id, "orders.csv", purchase.as_csv(lines))
    by_supplier = purchase.by_supplier(lines)
    return {
        "lines": len(lines),
        "cents": sum(by_supplier.values()),
        "by_supplier": by_supplier,
        "path": path,
    }


@server.task(upstream=["task-1", "task-2"])
def task_3(top: Annotated[int, Field(ge=1, le=50)] = 5, *, ctx: Context) -> Output:
    """The day's report in HTML: the sales, with the `top` products, and the purchases."""
    sold = report.DaySales.model_validate(ctx.upstream["task-1"])
    bought = report.Purchases.model_validate(ctx.upstream["task-2"])
    path = output.write(ctx.run_id, "report.html", report.render(sold, bought, top))
    ctx.log.info("report for %s: %s", sold.day, path)
    return {
        "day": sold.day,
        "orders": sold.orders,
        "sold_cents": sold.cents,
        "to_buy_cents": bought.cents,
        "path": path,
    }


@server.task(upstream=["week-sales"])
def sales_trend(*, ctx: Context) -> Output:
    """The week's total, its best day, and its change on the week before."""
    return trend(WeekSales.model_validate(ctx.upstream["week-sales"])).model_dump()


@server.task(upstream=["stock-levels", "supplier-prices"])
def supplier_comparison(*, ctx: Context) -> Output:
    """Which packs cost more, or less, than when they were last bought."""
    changes = suppliers.price_changes(
        ctx.upstream["stock-levels"]["pack_prices"], ctx.upstream["supplier-prices"]["prices"]
    )
    return {"changes": [change.model_dump() for change in changes]}


@server.task(upstream=["thumbnail"])
def catalogue_page(*, ctx: Context) -> Output:
    """The catalogue's front page in Markdown."""
    picture = ctx.upstream["thumbnail"]
    page = pages.catalogue_page(picture["path"], picture["width"], picture["height"])
    return {"path": output.write(ctx.run_id, "catalogue.md", page)}


@server.task(upstream=["sales-trend", "supplier-comparison", "catalogue-page"], cron="0 6 * * 1")
def weekly_digest(*, ctx: Context) -> Output:
    """The owners' digest of the week."""
    changes = [
        suppliers.PriceChange.model_validate(change)
        for change in ctx.upstream["supplier-comparison"]["changes"]
    ]
    page = pages.digest_page(
        Trend.model_validate(ctx.upstream["sales-trend"]),
        changes,
        ctx.upstream["catalogue-page"]["path"],
    )
    return {"path": output.write(ctx.run_id, "digest.md", page)}

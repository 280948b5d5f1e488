"""The task server duckdb: one day of a shop, from CSV to a summary."""

import csv
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from cordyna_core import Context, TaskServer

server = TaskServer("duckdb", owner="team-data")

DATA = Path(os.environ.get("DATA", Path(__file__).parent / "data"))
PRODUCTS = {"tea": 899, "coffee": 1299, "cups": 2400}


def day_of(day: str, ctx: Context) -> str:
    """The day itself, or the day before the tick of the cron."""
    if day:
        return day
    if ctx.scheduled_at is None:
        raise ValueError("a day is needed: -p day=2026-11-27")
    return str((ctx.scheduled_at - timedelta(days=1)).date())


@server.task(name="sales.raw")
def raw(day: str = "", *, ctx: Context) -> dict[str, str]:
    """The orders of a day as CSV, one line each."""
    target = DATA / ctx.run_id / "orders.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "day", "product", "quantity"))
        for number in range(24):
            product = list(PRODUCTS)[number % len(PRODUCTS)]
            writer.writerow((number, day_of(day, ctx), product, 1 + number % 2))
    print(f"wrote {target}")
    return {"path": str(target), "day": day_of(day, ctx)}


@server.task(name="sales.clean", upstream=["sales.raw"])
def clean(*, ctx: Context) -> dict[str, str]:
    """The orders in a table, with the price of each."""
    source = ctx.upstream["sales.raw"]
    target = Path(source["path"]).with_suffix(".duckdb")
    target.unlink(missing_ok=True)  # A body may run again.
    with duckdb.connect(str(target)) as database:
        database.execute("create table prices (product text, cents integer)")
        database.executemany("insert into prices values (?, ?)", list(PRODUCTS.items()))
        database.execute(
            "create table orders as select id, day, product, quantity * cents as cents "
            "from read_csv(?) join prices using (product)",
            [source["path"]],
        )
    return {"path": str(target), "day": source["day"]}


@server.task(name="sales.summary", upstream=["sales.clean"], cron="0 6 * * *", retries=2)
def summary(*, ctx: Context) -> dict[str, Any]:
    """How many orders, their sum, and the product that sold best."""
    source = ctx.upstream["sales.clean"]
    with duckdb.connect(source["path"], read_only=True) as database:
        (totals,) = database.execute("select count(*), sum(cents) from orders").fetchall()
        (best,) = database.execute(
            "select product from orders group by product order by sum(cents) desc limit 1"
        ).fetchall()
    return {"day": source["day"], "orders": totals[0], "cents": int(totals[1]), "best": best[0]}

"""Pages: the week and the catalogue as Markdown."""

from collections.abc import Sequence

from task_server_b.money import price
from task_server_b.suppliers import PriceChange
from task_server_b.trend import Trend


def catalogue_page(picture: str, width: int, height: int) -> str:
    """Return the catalogue's front page: the shop's picture, by reference."""
    return f"# The harbour shop\n\n![The shop's harbour, {width} by {height} pixels]({picture})\n"


def digest_page(trend: Trend, changes: Sequence[PriceChange], catalogue: str) -> str:
    """Return the digest of the week."""
    change = (
        "no week to compare with"
        if trend.change_percent is None
        else f"{trend.change_percent:+} % on the week before"
    )
    best = f"Best day: {trend.best_day} with {price(trend.best_cents)}."
    prices = [f"| {c.sku} | {price(c.paid)} | {price(c.asked)} |" for c in changes] or [
        "| none | | |"
    ]
    return "\n".join(
        [
            "# The week",
            "",
            f"Sold: {price(trend.cents)}, {change}. {best}",
            "",
            "| product | paid | asked |",
            "|---|---|---|",
            *prices,
            "",
            f"[Catalogue]({catalogue})",
            "",
        ]
    )

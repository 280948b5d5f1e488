"""Supplier prices: a price list that arrives by mail and is often damaged.

Invariant: a list with a bad line is refused as a whole, because a missing price would look like a
bargain in a comparison.
"""

import csv


def read_prices(text: str) -> dict[str, int]:
    """Return cents for a pack by sku. Raises ValueError, which names every bad line."""
    prices: dict[str, int] = {}
    bad: list[str] = []
    # Line 1 is the header.
    for line, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        price = row["pack_price_cents"]
        if price.isdecimal():
            prices[row["sku"]] = int(price)
        else:
            bad.append(
                f"line {line}: the price of {row['sku']} is {price!r}, not a number of cents"
            )
    if bad:
        raise ValueError("; ".join(bad))
    return prices

"""Supplier prices: the price list that comes in by mail, and often enough is damaged.

Law: a list with one bad line is refused whole. A price that is missing in a comparison would look like a bargain.
"""

import csv


def read_prices(text: str) -> dict[str, int]:
    """sku -> cents for a pack. Raises ValueError that names every bad line."""
    prices: dict[str, int] = {}
    bad: list[str] = []
    # The header is line 1.
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

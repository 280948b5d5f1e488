"""Stock: how much of every product is on the shelf, and which products run low."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product, which is sold in packs; it runs low when less than `reorder_point` is left."""

    sku: str
    name: str
    on_hand: int
    reorder_point: int
    pack_size: int
    pack_price_cents: int
    supplier: str

    @property
    def is_low(self) -> bool:
        return self.on_hand < self.reorder_point


def read_stock(text: str) -> list[Product]:
    """Read the CSV of the shelf count."""
    return [
        Product(
            sku=row["sku"],
            name=row["name"],
            on_hand=int(row["on_hand"]),
            reorder_point=int(row["reorder_point"]),
            pack_size=int(row["pack_size"]),
            pack_price_cents=int(row["pack_price_cents"]),
            supplier=row["supplier"],
        )
        for row in csv.DictReader(text.splitlines())
    ]


def low(products: Iterable[Product]) -> list[Product]:
    """Return the products that run low, the lowest relative to its reorder point first."""
    return sorted(
        (p for p in products if p.is_low), key=lambda p: (p.on_hand / p.reorder_point, p.sku)
    )

"""Purchase: what to order, from whom, so that nothing runs out.

Invariant: only whole packs are bought, and as few of them as reach the wanted cover.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field


class LowProduct(BaseModel):
    """The fields that this team uses of a product that runs low; other fields are ignored."""

    model_config = ConfigDict(frozen=True)

    sku: str
    name: str
    supplier: str
    on_hand: int = Field(ge=0)
    reorder_point: int = Field(ge=1)
    pack_size: int = Field(ge=1)
    pack_price_cents: int = Field(ge=0)


class StockLevels(BaseModel):
    """The output of team a's `stock-levels`."""

    model_config = ConfigDict(frozen=True)

    low: list[LowProduct]


class OrderLine(BaseModel):
    """A number of packs of one product."""

    model_config = ConfigDict(frozen=True)

    supplier: str
    sku: str
    name: str
    packs: int
    cents: int


def order_lines(products: Iterable[LowProduct], cover: float) -> list[OrderLine]:
    """Return the orders that bring every product to `cover` times its reorder point."""
    lines = [_line(product, cover) for product in products]
    return sorted(
        (line for line in lines if line.packs), key=lambda line: (line.supplier, line.sku)
    )


def _line(product: LowProduct, cover: float) -> OrderLine:
    missing = max(0.0, product.reorder_point * cover - product.on_hand)
    packs = math.ceil(missing / product.pack_size)
    return OrderLine(
        supplier=product.supplier,
        sku=product.sku,
        name=product.name,
        packs=packs,
        cents=packs * product.pack_price_cents,
    )


def by_supplier(lines: Iterable[OrderLine]) -> dict[str, int]:
    """Return cents by supplier, the largest first."""
    cents: Counter[str] = Counter()
    for line in lines:
        cents[line.supplier] += line.cents
    return dict(cents.most_common())


def as_csv(lines: Iterable[OrderLine]) -> str:
    """Return the order as a CSV with a header."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(OrderLine.model_fields)
    rows.writerows(line.model_dump().values() for line in lines)
    return text.getvalue()

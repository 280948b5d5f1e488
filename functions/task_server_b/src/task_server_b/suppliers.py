"""Suppliers: which prices changed since the last order."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class PriceChange(BaseModel):
    """The pack price that was paid, and the present one, in cents."""

    model_config = ConfigDict(frozen=True)

    sku: str
    paid: int
    asked: int


def price_changes(paid: Mapping[str, int], asked: Mapping[str, int]) -> list[PriceChange]:
    """Return every product whose price differs between the lists, the largest rise first."""
    changes = [
        PriceChange(sku=sku, paid=cents, asked=asked[sku])
        for sku, cents in paid.items()
        if asked.get(sku, cents) != cents
    ]
    return sorted(changes, key=lambda change: (change.paid - change.asked, change.sku))

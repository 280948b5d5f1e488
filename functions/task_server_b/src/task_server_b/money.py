"""Money: whole cents, shown as a price."""


def price(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02}"

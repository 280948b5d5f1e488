"""Near names: what was probably meant by a name that is not known."""

from cordyna_cli.wording.near_names import near_names_of

KNOWN = ["kitchen.menu", "kitchen.butter", "Kitchen.Feast", "manu"]


def test_last_part_of_a_name_is_meant_before_similar_names() -> None:
    assert near_names_of("MENU", KNOWN) == ["kitchen.menu", "manu"]
    assert near_names_of("feast", KNOWN) == ["Kitchen.Feast"]
    assert near_names_of("menu", ["shop.kitchen.menu", "menu.shop.kitchen.daily"]) == [
        "shop.kitchen.menu"
    ]


def test_misspelt_name_is_near_and_another_is_not() -> None:
    assert near_names_of("kitchn.menu", KNOWN, 1) == ["kitchen.menu"]
    assert near_names_of("invoice", KNOWN) == []


def test_near_names_are_at_most_as_many_as_asked_for() -> None:
    assert near_names_of("menu", [f"team-{number}.menu" for number in range(9)]) == [
        "team-0.menu",
        "team-1.menu",
        "team-2.menu",
    ]

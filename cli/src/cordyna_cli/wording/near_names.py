"""Near names: the known names that were probably meant by an unknown one."""

from collections.abc import Sequence
from difflib import get_close_matches


def near_names_of(name: str, known: Sequence[str], at_most: int = 3) -> list[str]:
    """The nearest first, but before them `kitchen.menu` for `menu`; case makes no difference."""
    folded = {candidate.casefold(): candidate for candidate in known}
    wanted = name.casefold()
    longer = [candidate for candidate in folded if candidate.rpartition(".")[2] == wanted]
    near = dict.fromkeys([*longer, *get_close_matches(wanted, folded, n=at_most)])
    return [folded[candidate] for candidate in near][:at_most]

"""View parts: sentences that name several tasks, and the positions of tasks beside joins."""

import pytest

from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.views import _list


@pytest.mark.parametrize(
    ("names", "text"),
    [("", ""), ("a", "a"), ("ab", "a and b"), ("abcde", "a, b, c, d and e")],
)
def test_sentence_lists_names(names: str, text: str) -> None:
    assert _list([*names]) == text


@pytest.mark.parametrize(("names", "left_out"), [("abcdef", 1), ("abcdefg", 2)])
def test_sentence_says_how_many_it_leaves_out(names: str, left_out: int) -> None:
    assert _list([*names]) == f"a, b, c, d, e and {left_out} more"


def test_position_of_a_task_does_not_count_joins() -> None:
    join = PlannedTask(name="b#join-1-0", server="", awaits=(0,))
    plan = Plan(
        (PlannedTask(name="a", server="s"), join, PlannedTask(name="b", server="s", awaits=(1,)))
    )
    assert plan.position_of == {0: 0, 2: 1}

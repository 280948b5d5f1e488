"""Run access: a write whose answer was lost has succeeded."""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from cerebro.core.model.run import Run
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.run_access import write_run, write_task

RUN = Run(id="r", task="a", plan_id="p", created_at=0.0, cause="c")
FACT = TaskRun(attempt=1, rank=Rank.PENDING, cause="c")


def result_of(write: Coroutine[Any, Any, Any], answer: Any) -> Any:
    """What a program returns that is given `answer` to its only effect."""
    write.send(None)
    with pytest.raises(StopIteration) as ended:
        write.send(answer)
    return ended.value.value


@pytest.mark.parametrize("lost", [True, False])
def test_write_of_run_tells_own_write_from_a_conflict(*, lost: bool) -> None:
    new, other = replace(RUN, version=2), replace(RUN, version=2, cause="other")
    expected = None if lost else other
    assert result_of(write_run(new, RUN), new if lost else other) == expected


@pytest.mark.parametrize("lost", [True, False])
def test_write_of_fact_tells_own_write_from_a_conflict(*, lost: bool) -> None:
    new, other = replace(FACT, rev=2), replace(FACT, rev=2, cause="other")
    expected = None if lost else other
    assert result_of(write_task("r", 0, new, FACT), new if lost else other) == expected

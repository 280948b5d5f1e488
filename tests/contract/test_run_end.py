"""Which lines of a task run's timeline may be the end of its run."""

from typing import Final, NamedTuple

import pytest

from cordyna_core.contract.base import State
from cordyna_core.contract.ids import CEREBRO, server_source
from cordyna_core.contract.views.run_end import LATE, ending_lines

SERVER: Final = server_source("s")


class Line(NamedTuple):
    state: State
    by: str = SERVER
    attempt: int = 1
    reason: str | None = None


EXPIRED: Final = Line("error", CEREBRO, reason="run_timeout")
CASES: Final[dict[str, tuple[list[Line], list[int]]]] = {
    "the server fails it": ([Line("started"), Line("error")], [0, 1]),
    "the server fails it after a clock did": ([EXPIRED, Line("error")], [0]),
    "cerebro cancels it after a clock did": (
        [EXPIRED, Line("error", CEREBRO, reason="cancelled")],
        [0, 1],
    ),
    "the next attempt fails": ([Line("error"), Line("error", attempt=2)], [0, 1]),
    "it completes after a clock failed it": ([EXPIRED, Line("completed")], [0, 1]),
    "a late end": (
        [Line("completed", attempt=2), Line("error", reason=LATE)],
        [0],
    ),
    "a late end between two errors": (
        [
            EXPIRED._replace(attempt=2),
            Line("completed", reason=LATE),
            Line("error", attempt=2),
        ],
        [0],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_lines_that_may_end_a_run(case: str) -> None:
    lines, ends = CASES[case]
    assert list(ending_lines(lines)) == [lines[number] for number in ends]

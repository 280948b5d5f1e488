"""Columns of differences: nothing is lost, and ten thousand tasks are small on the wire."""

import gzip
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from cordyna_console.app import GZIP_LEVEL
from cordyna_console.run_columns import FactRows, StructureAnswer
from cordyna_core.contract.views.facts import FactColumns, RunStructure

MOMENTS = st.none() | st.integers(0, 10**9)
ROWS = st.lists(st.tuples(st.integers(0, 10**4), *[MOMENTS] * 5), unique_by=lambda row: row[0])


@given(ROWS)
def test_facts_are_the_same_after_the_differences(rows: list[tuple[int, ...]]) -> None:
    task, sent, queued, started, ended, deadline = (
        (list(column) for column in zip(*sorted(rows), strict=True))
        if rows
        else ([] for _ in "6" * 6)
    )
    columns = FactColumns(
        task=task, sent=sent, queued=queued, started=started, ended=ended, deadline=deadline
    )
    written = FactRows.of(columns).model_dump_json()
    read = FactRows.model_validate_json(written)
    assert read.tasks == task
    assert (list(read.sent), list(read.ended)) == (sent, ended)
    assert (read.queued, read.started, read.deadline) == (queued, started, deadline)


@given(st.lists(st.lists(st.integers(0, 10**4), max_size=6)))
def test_structure_is_the_same_after_the_differences(upstream: list[list[int]]) -> None:
    written = StructureAnswer.of(a_structure(upstream)).model_dump_json()
    assert StructureAnswer.model_validate_json(written).upstream == upstream


def test_ten_thousand_tasks_are_small_on_the_wire() -> None:
    luck = Random(7)
    size = 10_000
    upstream = [
        sorted({luck.randrange(max(0, at - 400), at) for _ in range(3)}) if at else []
        for at in range(size)
    ]
    # Sent in the order of the structure, in groups, as a server takes them; each runs some 30 ms.
    sent = sorted(luck.randrange(60_000) for _ in range(size))
    started = [luck.randrange(400) for _ in range(size)]
    facts = FactColumns(
        task=list(range(size)),
        word=[0] * size,
        attempt=[1] * size,
        sent=sent,
        queued=[None] * size,
        started=started,
        ended=[at + luck.randrange(15, 45) for at in started],
        deadline=[None] * size,
        before=[[] for _ in range(size)],
    )
    assert wire_bytes(StructureAnswer.of(a_structure(upstream)).model_dump_json()) < 80_000
    assert wire_bytes(FactRows.of(facts).model_dump_json()) < 40_000


def wire_bytes(text: str) -> int:
    return len(gzip.compress(text.encode(), GZIP_LEVEL))


def a_structure(upstream: list[list[int]]) -> RunStructure:
    size = len(upstream)
    return RunStructure(
        plan_id="P",
        target="t0",
        servers=["s"],
        owners=[],
        task=[f"t{at}" for at in range(size)],
        server=[0] * size,
        owner=[-1] * size,
        level=[at // 100 for at in range(size)],
        upstream=upstream,
    )

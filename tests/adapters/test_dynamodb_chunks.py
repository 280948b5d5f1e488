"""Chunks: each fits into an item of DynamoDB, and who finds the first one finds them all."""

import zlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cerebro.adapters.aws.dynamodb_chunks import (
    RAW_BYTES_MAX,
    chunks_of_plan,
    chunks_of_text,
    plan_of_chunks,
    text_of,
    write_chunks,
)
from cerebro.core.model.plan import Plan, PlannedTask


class RecordingTable:
    """The numbers of the chunks that were put."""

    def __init__(self) -> None:
        self.numbers: list[str] = []

    def put(self, item: dict[str, Any]) -> None:
        self.numbers.append(item["sk"])


def test_first_chunk_is_written_last() -> None:
    """A crash in between leaves none that a reader finds."""
    table: Any = RecordingTable()
    write_chunks(table, lambda number: ("P", str(number)), [b"a", b"b", b"c"])
    assert table.numbers == ["2", "1", "0"]


@settings(max_examples=20)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), st.data())
def test_chunks_of_a_plan_fit_into_an_item(name: str, data: st.DataObject) -> None:
    """Before compression, too: what names and owners hold may not be compressible."""
    params = tuple(f"{name * 40}{number}" for number in range(data.draw(st.integers(0, 60))))
    tasks = tuple(
        PlannedTask(name=f"t{number}", server="s", params=params, owner=name * 20)
        for number in range(data.draw(st.integers(1, 30)))
    )
    chunks = chunks_of_plan(Plan(tasks))
    assert plan_of_chunks(chunks) == Plan(tasks)
    assert all(len(zlib.decompress(chunk)) <= RAW_BYTES_MAX for chunk in chunks)


def test_large_tasks_of_a_plan_have_chunks_of_their_own() -> None:
    tasks = tuple(
        PlannedTask(name=f"t{number}", server="s", params=(f"{number}" + "😀" * 30_000,))
        for number in range(8)
    )
    chunks = chunks_of_plan(Plan(tasks))
    assert plan_of_chunks(chunks) == Plan(tasks)
    assert all(len(zlib.decompress(chunk)) <= RAW_BYTES_MAX for chunk in chunks)
    assert len(chunks) > 1


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.integers(0, 20_000))
def test_chunks_of_a_text_hold_all_of_it(text: str, times: int) -> None:
    chunks = chunks_of_text(text * times)
    assert text_of(chunks) == text * times
    assert all(len(zlib.decompress(chunk)) <= RAW_BYTES_MAX for chunk in chunks)

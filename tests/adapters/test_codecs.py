"""Codecs: decoding what was encoded gives an equal value, and a fact stays small."""

import json
from dataclasses import fields
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.adapters.aws.dynamodb_chunks import (
    RAW_BYTES_MAX,
    chunks_of_plan,
    chunks_of_text,
    plan_of_chunks,
    text_of,
)
from cerebro.adapters.codecs import (
    decode_cached_result,
    decode_plan,
    decode_run,
    decode_task,
    encode_cached_result,
    encode_plan,
    encode_run,
    encode_task,
)
from cerebro.core.model.plan import CachedResult, Plan, PlannedTask
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import Rank, TaskRun, TimelineEntry
from cerebro.core.run.new_facts import MAX_INLINE_OUTPUT_BYTES
from cerebro.testing.examples import NOW, RUN, a_full_fact, a_plan
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.ids import derived_id

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
times = st.floats(0, 4e9)
outputs: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
errors = st.builds(
    ErrorDescription,
    type=texts,
    message=texts,
    retryable=st.booleans(),
    traceback=st.none() | texts,
)
entries = st.builds(
    TimelineEntry,
    st.sampled_from(["pending", "queued", "error"]),
    st.none() | texts,
    times,
    texts,
    st.integers(1, 99),
)
OF_FACT: Final[dict[str, Any]] = {
    "attempt": st.integers(1, 99),
    "rank": st.sampled_from(Rank),
    "reason": st.none() | texts,
    "deadline": st.none() | times,
    "cause": texts,
    "attempts_allowed": st.integers(1, 99),
    "dispatched_at": times,
    "output": outputs,
    "output_ref": st.none() | texts,
    "error": st.none() | errors,
    "timeline": st.lists(entries, max_size=4).map(tuple),
    "rev": st.integers(1, 10_000),
    "dispatched_by": st.none() | texts,
}
facts = st.builds(TaskRun, **OF_FACT)
OF_RUN: Final[dict[str, Any]] = {
    "id": texts,
    "task": texts,
    "plan_id": texts,
    "created_at": times,
    "cause": texts,
    "params": st.dictionaries(texts, outputs, max_size=3),
    "key": st.none() | texts,
    "max_age_s": st.none() | st.integers(0),
    "labels": st.dictionaries(texts, texts, max_size=3),
    "scheduled_at": st.none() | times,
    "status": st.sampled_from(["running", "completed", "error", "cancelled"]),
    "failing": st.booleans(),
    "rev": st.integers(0),
    "version": st.integers(1),
    "commands": st.lists(texts, max_size=3).map(tuple),
    "reruns": st.integers(0),
    "traceparent": st.none() | texts,
    "source": st.none() | texts,
    "watched": st.lists(st.integers(0, 200_000), max_size=3).map(tuple),
}
runs = st.builds(Run, **OF_RUN)
lasts = st.builds(CachedResult, texts, st.integers(0), times, outputs, st.none() | texts, texts)
indexes = st.lists(st.integers(0, 200_000), max_size=5).map(tuple)
OF_TASK: Final[dict[str, Any]] = {
    "name": texts,
    "server": texts,
    "upstream": indexes,
    "awaits": indexes,
    "params": st.lists(texts, max_size=3).map(tuple),
    "retries": st.integers(0, 20),
    "run_timeout_s": st.integers(1, 10**7),
    "owner": st.none() | texts,
    "version": texts,
    "kept": st.booleans(),
    "reuses": st.none() | lasts,
    "ack_timeout_s": st.integers(1, 10**7),
    "start_timeout_s": st.integers(1, 10**7),
    "retry_delay_s": st.integers(0, 10**7),
    "retry_backoff": st.floats(1, 100),
    "retry_max_delay_s": st.integers(1, 10**7),
    "retry_jitter": st.booleans(),
}
planned = st.builds(PlannedTask, **OF_TASK)
plans = st.lists(planned, min_size=1, max_size=5).map(lambda tasks: Plan(tuple(tasks)))


@pytest.mark.parametrize(
    ("kind", "drawn"), [(TaskRun, OF_FACT), (Run, OF_RUN), (PlannedTask, OF_TASK)]
)
def test_every_field_is_among_the_drawn_ones(kind: type, drawn: dict[str, Any]) -> None:
    assert {field.name for field in fields(kind)} == drawn.keys()


@given(facts)
def test_task_run_roundtrips(fact: TaskRun) -> None:
    assert decode_task(encode_task(fact)) == fact


@given(runs)
def test_run_roundtrips(run: Run) -> None:
    assert decode_run(encode_run(run)) == run


@given(lasts)
def test_cached_result_roundtrips(last: CachedResult) -> None:
    assert decode_cached_result(encode_cached_result(last)) == last


@given(plans)
def test_plan_roundtrips(plan: Plan) -> None:
    assert decode_plan(encode_plan(plan)) == plan
    assert plan_of_chunks(chunks_of_plan(plan)) == plan


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_in_chunks_roundtrips(text: str) -> None:
    assert text_of(chunks_of_text(text)) == text


@pytest.mark.parametrize(
    "size", [0, RAW_BYTES_MAX - 1, RAW_BYTES_MAX, RAW_BYTES_MAX + 1, 3 * RAW_BYTES_MAX]
)
def test_text_is_cut_between_any_two_bytes(size: int) -> None:
    text = "ü" * (size // 2) + "x" * (size % 2)
    assert len(chunks_of_text(text)) == max(1, -(-size // RAW_BYTES_MAX))
    assert text_of(chunks_of_text(text)) == text


def test_chunk_of_a_plan_is_below_the_item_limit() -> None:
    noise = [
        PlannedTask(
            name=derived_id(n) * 4,
            server=derived_id(n, "s") * 4,
            version=derived_id(n, "v"),
            owner=derived_id(n, "o") * 9,
        )
        for n in range(5_000)
    ]
    chunks = chunks_of_plan(Plan(tuple(noise)))
    assert len(chunks) > 3
    assert max(map(len, chunks)) < 350_000


def test_plan_of_1000_tasks_is_below_35_kb() -> None:
    assert sum(map(len, chunks_of_plan(a_plan(1_000)))) < 35_000


def test_ordinary_fact_is_one_write_unit() -> None:
    """1 KB (Amazon DynamoDB, "Read and write operations"), with its keys and the names of its
    attributes.
    """
    timeline = tuple(
        TimelineEntry("completed", "dispatched", NOW, "cordyna.server.task-server-name", 1)
        for _ in range(3)
    )
    fact = TaskRun(
        attempt=1,
        rank=Rank.COMPLETED,
        cause=derived_id("x"),
        dispatched_at=NOW,
        output="x" * (MAX_INLINE_OUTPUT_BYTES - 2),
        timeline=timeline,
    )
    item = {
        "pk": f"RUN#{RUN}#390",
        "sk": "T#099999",
        "fact": encode_task(fact),
        "rev": "3",
        "expires_at": "1797776000",
    }
    assert sum(len(name) + len(value) for name, value in item.items()) < 1024


def test_fact_with_all_fields_roundtrips_as_text() -> None:
    assert json.loads(encode_task(a_full_fact()))[:2] == ["2", 3]
    assert decode_task(encode_task(a_full_fact()).encode()) == a_full_fact()

"""An update that is malformed counts with what can be read of it, on either engine.

Its attempt ends at once, or its body is known to run. It is a dead letter all the same.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.model.task_run import Rank, TaskRun
from cordyna_core.contract.ids import CLIENT, server_source
from world.two_engines import RUN, Engine, Loop, Queue, event, finish, update, with_a_run

DEEP = "[" * 5_000 + "]" * 5_000
NOT_JSON = {
    "too deep": "[" * 101 + "]" * 101,
    "too deep for a parser": DEEP,
    "not a number": "NaN",
    "infinite": "[1e999]",
    "half a character": '"\\ud83d"',
    "a key of half a character": '{"\\ud83d":1}',
    "more digits than parsers read": "9" * 5_000,
}
"""Outputs that cannot be kept."""


@pytest.fixture(params=[Loop, Queue])
def engine(request: pytest.FixtureRequest) -> Engine:
    return with_a_run(request.param(), a={"retries": 1})


def with_part(text: str, **parts: str) -> str:
    """The event of an update with more fields, each as a text of JSON."""
    fields = "".join(f'"{name}":{value},' for name, value in parts.items())
    return text.replace('"state"', f'{fields}"state"')


def fact(engine: Engine) -> TaskRun:
    return engine.store.read_page(RUN, 0)[0]


@pytest.mark.parametrize("kind", NOT_JSON)
def test_completed_with_no_json_ends_the_attempt(kind: str, engine: Engine) -> None:
    text = with_part(update(state="completed"), output=NOT_JSON[kind])
    for _ in range(2):
        engine.put(text)
    ended = fact(engine)
    assert (ended.rank, ended.reason, ended.deadline) == (Rank.ERROR, "failed_terminal", None)
    assert ended.error is not None
    assert ended.error.type == "OutputNotJson"
    assert "output: " in ended.error.message
    assert {letter for letter, _ in engine.dead_letters} == {text}
    assert "what can be read of it was handled" in engine.dead_letters[0][1]
    run = engine.store.read_run(RUN)
    assert run is not None
    assert run.failing


def test_completion_that_can_be_read_heals_it(engine: Engine) -> None:
    engine.put(with_part(update(state="completed"), output="NaN"))
    finish(engine)
    run = engine.store.read_run(RUN)
    assert run is not None
    assert run.status == "completed"


@pytest.mark.parametrize(
    "parts",
    [
        {"progress": "1.5"},
        {"progress": "NaN"},
        {"message": '"\\ud83d"'},
        {"message": json.dumps("x" * 1025)},
        {"started_at": '"yesterday"'},
        {"meta": '{"id":""}'},
        {"reason": json.dumps("x" * 65)},
        {"error": '"none"'},
        {"unknown": DEEP},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_completed_with_another_malformed_part_completes(
    parts: dict[str, str], engine: Engine
) -> None:
    text = with_part(update(state="completed"), output='{"rows":3}', **parts)
    engine.put(text)
    assert (fact(engine).rank, fact(engine).output) == (Rank.COMPLETED, {"rows": 3})
    assert [letter for letter, _ in engine.dead_letters] == [text]


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        ('"boom"', '"boom"'),
        ('{"message":"boom"}', '"boom"'),
        ('{"type":"Oops","message":["boom"]}', '"Oops"'),
        ('{"type":"Oops","retryable":"no"}', '"no"'),
        ('{"type":7,"x":NaN}', "NaN"),
    ],
)
def test_error_with_a_malformed_description_keeps_it(error: str, kept: str, engine: Engine) -> None:
    engine.put(with_part(update(state="error"), error=error))
    failed = fact(engine)
    assert (failed.rank, failed.reason, failed.waits_for_retry) == (Rank.ERROR, "failed", True)
    assert failed.error is not None
    assert failed.error.type == "ErrorNotReadable"
    assert kept in failed.error.message


def test_malformed_error_that_is_not_retryable_is_not_retried(engine: Engine) -> None:
    engine.put(with_part(update(state="error"), error='{"retryable":false}'))
    assert (fact(engine).reason, fact(engine).failed_permanently) == ("failed_terminal", True)


@pytest.mark.parametrize("state", ["queued", "started"])
def test_malformed_progress_is_a_sign_of_life(state: str, engine: Engine) -> None:
    """Else its first clock would expire, and a retry begin beside the body."""
    engine.put(with_part(update(state=state), progress="2", output=DEEP))
    assert fact(engine).rank == Rank[state.upper()]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (update(server_source("t"), server="t", state="completed"), "may not report"),
        (update(server_source("t"), state="completed"), "may not send"),
        (update(CLIENT, state="completed"), "may not send"),
        (update(attempt=2, state="completed"), "never sent"),
        (update(run_id="0" * 26, state="completed"), "not known"),
        (update(state="pending"), "does not report"),
    ],
)
def test_malformed_update_of_no_attempt_changes_nothing(
    text: str, why: str, engine: Engine
) -> None:
    before = engine.store.read_page(RUN, 0)
    malformed = with_part(text, output="NaN")
    for _ in range(2):
        engine.put(malformed)
    assert engine.store.read_page(RUN, 0) == before
    assert {letter for letter, _ in engine.dead_letters} == {malformed}
    reason = engine.dead_letters[0][1]
    assert why in reason
    assert "NaN" in reason


ODD_PARTS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=())),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(st.characters(exclude_categories=())), st.text(), max_size=2),
    st.just({"type": "T", "message": "\ud83d", "traceback": "x" * 9_000}),
)
OPTIONAL = ("output", "reason", "error", "progress", "message", "started_at", "meta", "unknown")


@given(
    state=st.sampled_from(["queued", "started", "completed", "error"]),
    parts=st.dictionaries(st.sampled_from(OPTIONAL), ODD_PARTS, max_size=4),
)
def test_update_with_any_optional_parts_is_applied(state: str, parts: dict[str, Any]) -> None:
    engine = with_a_run(Queue())
    fields = {"server": "s", "run_id": RUN, "task": "a", "attempt": 1, "state": state}
    engine.put(event(server_source("s"), "TaskStateChanged", {**parts, **fields}))
    expected = {Rank[state.upper()]}
    if state == "completed" and "output" in parts:
        expected.add(Rank.ERROR)
    assert fact(engine).rank in expected

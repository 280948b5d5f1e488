"""Progress: nothing that a body passes to `ctx.progress` fails it."""

import decimal
import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cordyna_core import Context
from cordyna_core.contract.envelope import detail_json
from cordyna_core.contract.state_updates import TaskStateChanged
from server.builders import a_command, a_server, run


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __float__(self) -> float:
        raise RuntimeError("no number")


FRACTIONS = (
    st.none()
    | st.floats()
    | st.integers()
    | st.booleans()
    | st.text()
    | st.decimals()
    | st.complex_numbers()
    | st.builds(Unprintable)
)
MESSAGES = (
    st.none()
    | st.text(st.characters(codec=None, exclude_categories=()), max_size=3000)
    | st.binary()
    | st.integers()
    | st.builds(Unprintable)
)


def progress_of(fraction: Any, message: Any) -> list[TaskStateChanged]:
    """What is published of a body that reports this, and completes."""

    def body(*, ctx: Context) -> int:
        ctx.progress(fraction, message)
        return 1

    result, published = run(a_server(task_1=body), a_command())
    assert result is not None
    assert (result.state, result.output) == ("completed", 1)
    return [update for update in published[1:-1] if isinstance(update, TaskStateChanged)]


@given(FRACTIONS, MESSAGES)
def test_progress_of_any_values_never_fails_the_body(fraction: object, message: object) -> None:
    for update in progress_of(fraction, message):
        assert update.progress is None or 0 <= update.progress <= 1
        assert len(update.message or "") <= 1024
        json.loads(detail_json(update))


@pytest.mark.parametrize(
    ("fraction", "reported"),
    [
        (0.5, 0.5),
        (7, 1.0),
        (-1, 0.0),
        (float("inf"), 1.0),
        (float("nan"), None),
        (True, 1.0),
        ("0.25", 0.25),
        (decimal.Decimal("0.25"), 0.25),
    ],
)
def test_progress_fraction_is_clamped(fraction: Any, reported: float | None) -> None:
    (update,) = progress_of(fraction, "reading")

    assert (update.progress, update.message) == (reported, "reading")


def test_progress_message_with_broken_text_is_escaped() -> None:
    (update,) = progress_of(None, "file-\udcff" + "x" * 2000)

    assert update.message is not None
    assert update.message.startswith("file-\\udcffxxx")
    assert len(update.message) == 1024


def test_progress_without_meaning_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert progress_of("half", None) == []

    assert [record.message.partition(",")[0] for record in caplog.records] == ["progress of task-1"]

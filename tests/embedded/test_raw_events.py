"""What the embedded bus gives to an event, as EventBridge does."""

import json
from datetime import UTC, datetime

import pytest

from cerebro.adapters.internal_codec import decode_internal
from cerebro.embedded.runtime.raw_events import with_default_id_and_time

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_event_without_id_and_time_gets_both() -> None:
    assert json.loads(
        with_default_id_and_time('{"source":"s","detail":{"\u00fc":1}}', "e-1", NOW)
    ) == {
        "id": "e-1",
        "time": "2026-01-02T03:04:05.000Z",
        "source": "s",
        "detail": {"\u00fc": 1},
    }


def test_event_with_id_keeps_it() -> None:
    assert json.loads(with_default_id_and_time('{"id":"mine"}', "e-1", NOW)) == {
        "id": "mine",
        "time": "2026-01-02T03:04:05.000Z",
    }


@pytest.mark.parametrize(
    "line",
    [
        '{ "id":"mine",  "time":"2026-01-01T00:00:00Z" }',
        "no JSON",
        "[]",
        "null",
        '{"detail":',
        '{"id":"mine","detail":"\\ud800"}',
        "[" * 100_000,
    ],
    ids=["a whole event", "no JSON", "a list", "nothing", "no end", "half of a pair", "too deep"],
)
def test_complete_or_malformed_event_is_unchanged(line: str) -> None:
    assert with_default_id_and_time(line, "e-1", NOW) == line


@pytest.mark.parametrize(
    "line", ['{"detail":"\\ud800"}', ' {"detail":' + "[" * 5_000 + "]" * 5_000 + "}"]
)
def test_malformed_event_without_id_gets_one(line: str) -> None:
    """So that its sender can be answered."""
    completed = with_default_id_and_time(line, "e-1", NOW)
    assert completed.startswith('{"id": "e-1", "time": "2026-01-02T03:04:05.000Z", "detail":')
    assert completed.endswith(line.strip()[1:])


@pytest.mark.parametrize("rest", ["", ',"x":"\\ud800"'])
def test_line_like_an_internal_message_is_no_internal_one(rest: str) -> None:
    """It would let the sender say that every clock of a run has expired."""
    fields = '{"run_id":"R","page":0,"asked_at":9e9,"sent_at":0.0}'
    line = f'{{"overdue":{fields},"id":"mine","time":"2026-01-01T00:00:00Z"{rest}}}'
    assert decode_internal(line) is not None
    assert decode_internal(with_default_id_and_time(line, "e-1", NOW)) is None

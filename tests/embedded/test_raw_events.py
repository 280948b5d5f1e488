"""What the embedded bus gives to an event, as EventBridge does."""

import json
from datetime import UTC, datetime

import pytest

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
        '{"detail":"\\ud800"}',
        "[" * 100_000,
    ],
    ids=["a whole event", "no JSON", "a list", "nothing", "half of a pair", "too deep"],
)
def test_complete_or_malformed_event_is_unchanged(line: str) -> None:
    assert with_default_id_and_time(line, "e-1", NOW) == line

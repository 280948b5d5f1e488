"""Rule 17: a command that cannot be read is a dead letter, and its sender is answered."""

import json
from typing import Any

import pytest

from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.state_updates import InvocationRejected
from world.engine import Engine
from world.scenarios import an_engine

AT = "2027-01-15T08:00:00Z"
DEEP: Any = json.loads("[" * 250 + "]" * 250)


def texts_of_cerebro(engine: Engine) -> list[str]:
    """What cerebro published; the log also has the events that cannot be read."""
    texts = [event.text for event in engine.home.event_log.events(None, 0)]
    return [text for text in texts if '"source":"cordyna.cerebro"' in text]


@pytest.mark.parametrize(
    ("detail", "time"),
    [
        ({"run_id": "0" * 26, "command_id": DEEP}, AT),
        ({"run_id": "0" * 26, "ignored": DEEP}, AT),
        ({"run_id": "0" * 26, "command_id": "\ud800"}, AT),
        ({"run_id": "0" * 26}, "nonsense"),
        ({"run_id": "0" * 26}, "1969-12-31T23:59:59Z"),
        ({"run_id": "0" * 26}, 5e300),
    ],
    ids=["deep", "deep and unknown", "half a character", "no time", "before 1970", "no text"],
)
def test_command_that_cannot_be_read_is_answered(detail: dict[str, Any], time: object) -> None:
    engine = an_engine("s: t").driver
    event = {"source": "cordyna.client", "detail-type": "CancelRun", "id": "e-1", "time": time}
    engine.loop.put(json.dumps({**event, "detail": detail}))
    engine.settle()

    answers = [
        opened.message
        for opened in map(open_envelope, texts_of_cerebro(engine))
        if isinstance(opened.message, InvocationRejected)
    ]
    assert [answer.event_id for answer in answers] == ["e-1"]
    assert len(engine.home.event_log.dead_letters()) == 1


@pytest.mark.parametrize("text", ["[]", "1", '"text"', "{}", '{"detail":', "[" * 100_000])
def test_event_without_a_sender_is_a_dead_letter_only(text: str) -> None:
    engine = an_engine("s: t").driver
    before = texts_of_cerebro(engine)
    engine.loop.put(text)
    engine.settle()

    assert texts_of_cerebro(engine) == before
    assert len(engine.home.event_log.dead_letters()) == 1

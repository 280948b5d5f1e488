"""The codec of cerebro's messages to itself."""

import json

import pytest

from cerebro.adapters.internal_codec import decode_internal, encode_internal
from cerebro.core.incidents.notices import (
    CompletionNotice,
    DeadlineTimer,
    FailureNotice,
    IncidentTimer,
    ServerNotice,
)
from cerebro.core.internal_messages import FanOut, InternalMessage, PageTimer, Tick
from cerebro.handlers.receive import Delivery, receive
from cerebro.testing.examples import NOW, RUN
from cordyna_core.contract.envelope import MalformedEvent

SIX = 1_790_056_800.0


@pytest.mark.parametrize(
    "message",
    [
        PageTimer(RUN, 3, NOW),
        FanOut(RUN, None, 250, "cause"),
        FanOut(RUN, 7, 0, 'a "cause" ü', repair=True),
        Tick("team.task", SIX),
        CompletionNotice(RUN, 7, 2, NOW),
        FailureNotice(RUN),
        ServerNotice("stock", "unresponsive", NOW, "event-1"),
        IncidentTimer("7M1Z7Q4GJ0S2F8R6Y3K5D9W1XA", NOW),
        DeadlineTimer("report", SIX, NOW),
    ],
)
def test_internal_message_roundtrips(message: InternalMessage) -> None:
    assert decode_internal(encode_internal(message)) == message


@pytest.mark.parametrize("body", ['{"version":"0","id":"1"}', "", "no json", '["ring"]'])
def test_decode_of_another_message_is_none(body: str) -> None:
    assert decode_internal(body) is None


@pytest.mark.parametrize(
    "body",
    [
        '{"ring":{"run_id":"x"}}',
        '{"ring":',
        '{"tick":{}}',
        '{"tick":{"task":"x","nominal":"soon"}}',
        '{"walk":[]}',
    ],
)
def test_decode_of_a_malformed_message_raises(body: str) -> None:
    with pytest.raises(MalformedEvent, match=r"not a valid (ring|walk|tick)"):
        decode_internal(body)


def test_tick_has_the_time_scheduler_filled_in() -> None:
    assert decode_internal(_tick("2026-09-22T06:00:00Z"), sent_at=SIX + 42) == Tick("x", SIX)


def test_tick_without_its_time_is_of_the_minute_sent() -> None:
    assert decode_internal(_tick("<aws.scheduler.scheduled-time>"), sent_at=SIX + 9.9) == Tick(
        "x", SIX
    )


def test_tick_without_any_time_raises() -> None:
    with pytest.raises(MalformedEvent, match="its send time is unknown"):
        decode_internal(_tick("<aws.scheduler.scheduled-time>"))


def test_receive_passes_the_time_sent() -> None:
    untimed = _tick("<aws.scheduler.scheduled-time>")
    outcome = receive([Delivery("1", untimed)], ports=None)  # type: ignore[arg-type]
    assert [reason for _, reason in outcome.dead_letters] == [
        "not a valid tick: its nominal time was not filled in, and its send time is unknown"
    ]
    outcome = receive(
        [Delivery("1", _tick("<aws.scheduler.scheduled-time>"), sent_at=SIX)],
        ports=None,  # type: ignore[arg-type]
    )
    assert outcome.again == ["1"], "it was decoded, and failed only for want of a store"


def _tick(nominal: str) -> str:
    return json.dumps({"tick": {"task": "x", "nominal": nominal}}, separators=(",", ":"))

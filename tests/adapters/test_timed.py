"""Timed: cerebro's messages to itself, sealed and opened."""

import json

import pytest

from cerebro.adapters.internal_codec import decode_internal, encode_internal
from cerebro.core.effects import FanOut, PageTimer, Tick
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
    ],
)
def test_what_was_sealed_opens_as_the_same(message: PageTimer | FanOut | Tick) -> None:
    assert decode_internal(encode_internal(message)) == message


@pytest.mark.parametrize("body", ['{"version":"0","id":"1"}', "", "no json", '["ring"]'])
def test_what_is_none_of_them_is_left_to_others(body: str) -> None:
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
def test_what_only_begins_like_one_says_so(body: str) -> None:
    with pytest.raises(MalformedEvent, match=r"this is no (ring|walk|tick)"):
        decode_internal(body)


def test_a_tick_has_the_nominal_time_that_scheduler_filled_in() -> None:
    assert decode_internal(_tick("2026-09-22T06:00:00Z"), sent_at=SIX + 42) == Tick("x", SIX)


def test_a_tick_whose_nominal_time_was_left_out_is_of_the_minute_in_which_it_was_sent() -> None:
    assert decode_internal(_tick("<aws.scheduler.scheduled-time>"), sent_at=SIX + 9.9) == Tick(
        "x", SIX
    )


def test_a_tick_of_which_nobody_knows_when_it_was_is_none() -> None:
    with pytest.raises(MalformedEvent, match="nobody knows when it was sent"):
        decode_internal(_tick("<aws.scheduler.scheduled-time>"))


def test_a_handler_tells_when_a_message_was_sent() -> None:
    outcome = receive([Delivery("1", _tick("<aws.scheduler.scheduled-time>"))], ports=None)  # type: ignore[arg-type]
    assert [reason for _, reason in outcome.dead_letters] == [
        "not a valid tick: its nominal time was not filled in, and its send time is unknown"
    ]
    outcome = receive(
        [Delivery("1", _tick("<aws.scheduler.scheduled-time>"), sent_at=SIX)],
        ports=None,  # type: ignore[arg-type]
    )
    assert outcome.again == ["1"], "it was opened, and there is no store to ask"


def _tick(nominal: str) -> str:
    return json.dumps({"tick": {"task": "x", "nominal": nominal}}, separators=(",", ":"))

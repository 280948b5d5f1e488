"""An internal message with any value in any field is handled, or a dead letter with its reason."""

import json
from typing import Any, Final

import pytest

from cerebro.adapters.internal_codec import KINDS, decode_internal
from cerebro.handlers.receive import Delivery, receive
from cordyna_core.contract.envelope import MalformedEvent
from world.two_engines import RUN, Engine, Loop, Queue, with_a_run
from world.world import NOON

VALID: Final[dict[str, Any]] = {
    "run_id": RUN,
    "page": 0,
    "due": NOON,
    "index": 0,
    "start": 0,
    "cause": "c",
    "asked_at": NOON,
    "sent_at": NOON,
    "turn": 0,
    "task": "a",
    "nominal": NOON,
    "attempt": 1,
    "dispatched_at": NOON,
    "server": "s",
    "kind": "unresponsive",
    "at": NOON,
    "event": "event-1",
    "incident": "none",
    "is_shared": True,
    "repair": False,
    "format": 2,
}
ODD: Final = (
    "null",
    "true",
    "-1",
    "1e308",
    "NaN",
    "Infinity",
    str(2**63),
    "-" + "9" * 400,
    "9" * 5_000,
    '""',
    '"x"',
    '"\\ud800"',
    '"0001-01-01T00:00:00+23:59"',
    '"9999-12-31T23:59:59-23:59"',
    "[]",
    "{}",
    "[" * 5_000 + "]" * 5_000,
)


def odd_messages() -> list[str]:
    texts = []
    for kind, name in KINDS.items():
        slots: tuple[str, ...] = kind.__slots__  # type: ignore[attr-defined]
        fields = {slot: json.dumps(VALID[slot]) for slot in slots if slot in VALID}
        for field in (*fields, "format"):
            for odd in ODD:
                shown = ",".join(f'"{n}":{v}' for n, v in {**fields, field: odd}.items())
                texts.append(f'{{"{name}":{{{shown}}}}}')
    return texts


@pytest.mark.parametrize("make", [Loop, Queue])
def test_odd_internal_message_holds_nothing_up(make: type[Engine]) -> None:
    engine = with_a_run(make())
    for text in odd_messages():
        if f'"format":{2**63}' not in text:
            engine.put(text)
    assert engine.dead_letters
    for text, reason in engine.dead_letters:
        assert reason.startswith("not a valid ") or '"page":-1' in text, reason


def test_newer_internal_message_is_a_dead_letter_of_a_home() -> None:
    """A home has one version: no other process will read it."""
    engine = with_a_run(Loop())
    text = '{"ring":{"format":9}}'
    engine.put(text)
    ((letter, reason),) = engine.dead_letters
    assert letter == text
    assert "a newer version of cordyna wrote it" in reason


def test_newer_internal_message_waits_for_its_version_on_aws() -> None:
    outcome = receive([Delivery("receipt", '{"ring":{"format":9}}')], Queue().driver.ports)
    assert (outcome.again, outcome.dead_letters) == (["receipt"], [])


def test_internal_message_of_another_type_names_the_field() -> None:
    with pytest.raises(MalformedEvent, match="not a valid ring: its page cannot be 'x'"):
        decode_internal(f'{{"ring":{{"run_id":"{RUN}","page":"x","due":1.0}}}}')

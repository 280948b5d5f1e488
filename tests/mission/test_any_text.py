"""Any text on the bus, on either engine: it is handled or kept with its reason, and answered.

The texts begin as messages of the contract about a run in progress. Then fields get odd values, and
pieces of the text are cut out, put in or repeated.
"""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.golden_messages import NAMES, golden
from contract.test_bounds import ODD, paths, with_value
from cordyna_core.contract.envelope import MalformedEvent, open_envelope, seal
from cordyna_core.contract.ids import CEREBRO, CLIENT, SCHEDULER, is_client, server_source
from cordyna_core.contract.registry import COMMANDS_TO_CEREBRO, is_misspelt_by_client
from cordyna_core.contract.state_updates import InvocationRejected, RunStateChanged
from cordyna_core.contract.time import utc
from world.two_engines import RUN, Engine, Loop, Queue, with_a_run
from world.world import NOON

SOURCES: Final = (
    CLIENT,
    f"{CLIENT}.x",
    server_source("s"),
    server_source("t"),
    SCHEDULER,
    "me",
    "",
)
PIECES: Final = (
    *('"', "{", "}", "[", "]", ",", ":", "\\", "0", "-", "null", "NaN", "1e999", "\\ud800"),
    *("\x00", "\n", "\ufeff", "😀", "[" * 150, "[" * 3_000, "9" * 5_000),
)


def is_short(odd: Any) -> bool:
    try:
        return len(json.dumps(odd)) < 1_000
    except (ValueError, RecursionError):
        return False  # PIECES has one of this kind


SHORT: Final = [odd for odd in ODD if is_short(odd)]


def about_the_run(name: str, source: str) -> dict[str, Any]:
    event = golden(name)
    event["source"] = source
    event["detail"] |= {
        field: value
        for field, value in {"run_id": RUN, "server": "s", "task": "a", "attempt": 1}.items()
        if field in event["detail"]
    }
    return event


@st.composite
def texts(draw: st.DrawFn) -> str:
    event = about_the_run(draw(st.sampled_from(NAMES)), draw(st.sampled_from(SOURCES)))
    for odd in draw(st.lists(st.sampled_from(SHORT), max_size=2)):
        event = with_value(event, draw(st.sampled_from([p for p in paths(event) if p])), odd)
    text = json.dumps(event)
    for piece in draw(st.lists(st.sampled_from(PIECES), max_size=2)):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + piece + text[at + draw(st.integers(0, 4)) :]
    return text


def needs_an_answer(text: str) -> bool:
    """Whether it is, or should have been, a command of a client; its id can be read."""
    try:
        envelope = open_envelope(text)
    except MalformedEvent as malformed:
        if malformed.raw is None:
            return False
        source, name = malformed.raw.source, malformed.raw.detail_type
    else:
        source, name = envelope.source, type(envelope.message).__name__
    # RemoveServer is answered by the state of the graph.
    commands = COMMANDS_TO_CEREBRO - {"RemoveServer"}
    return is_misspelt_by_client(source, name) or (is_client(source) and name in commands)


@pytest.mark.parametrize("make", [Loop, Queue])
@given(text=texts())
def test_any_text_is_handled_or_kept(make: type[Engine], text: str) -> None:
    engine = with_a_run(make())
    before = len(engine.published)
    engine.put(text)
    sent = engine.published[before:]
    for message in sent:
        assert open_envelope(seal(message, CEREBRO, "e", utc(NOON))).message == message
    for _, reason in engine.dead_letters:
        assert "raised" not in reason
        assert "failed 3 times" not in reason
    if needs_an_answer(text):
        assert any(isinstance(m, InvocationRejected | RunStateChanged) for m in sent)

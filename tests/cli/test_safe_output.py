"""Foreign text: whatever an engine answers, a terminal gets no control or bidi characters."""

import json
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from cli.fake_engine import FakeEngine, refused
from cli.run_builders import RUN, T0, a_run, a_task
from cli.run_dyna import dyna, without_escapes
from cordyna_cli.output.json_output import event_json
from cordyna_cli.output.screen import Screen
from cordyna_cli.wording.foreign_text import UNPRINTABLE, one_line, printable
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.views.graph import ServerInfo, TaskInfo
from cordyna_core.contract.views.runs import LogLine, PassedEvent
from cordyna_core.errors import UserError

EVIL = "a\x1b[2J\x9b1m\x07\u202e\u2066b\x85\u2028c\r\nd\x00"
SEQUENCES = {
    "\x1b[1;31mred\x1b[0m": "red",
    "\x1b]0;title\x07text": "text",
    "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link",
    "\x1bcreset": "reset",
    "10 %\r20 %": "10 % 20 %",
    "a\r\nb\x0bc": "a\nb\nc",
    "tab\tstays": "tab\tstays",
}
"""Foreign text -> how it is shown: a sequence leaves nothing of itself behind."""

DANGEROUS = st.text(
    st.one_of(
        st.sampled_from(
            "\x00\x07\x08\x0b\x1b\x7f\x80\x85\x9b\x9d\u061c\u200e\u2028\u202e\u2066[];m"
        ),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


def an_engine(text: str) -> FakeEngine:
    """An engine whose every answer contains `text`."""
    error = ErrorDescription(type=text or "E", message=text, traceback=text)
    task = a_task(
        "x", "", "dispatched@0 error:failed@1", error=error, owner=text, why=text or "x failed"
    )
    line = LogLine.model_validate(
        {"run_id": RUN, "task": "x", "attempt": 1, "at": T0, "stream": "stdout", "text": text}
    )
    return FakeEngine(
        views=[a_run(task, state="error")],
        declared=[
            TaskInfo(
                task="x",
                server="s",
                upstream=[],
                owner=text,
                description=text,
                params_schema={"properties": {text: {"description": text, "default": text}}},
            )
        ],
        known_servers=[ServerInfo(server="s", state="ready", tasks=1, revision=1, problem=text)],
        passed=[PassedEvent(seq=1, text=json.dumps({"x": text})), PassedEvent(seq=2, text=text)],
        printed=[line],
        answer=refused("x", text),
    )


COMMANDS = (
    "show",
    "why",
    "why x",
    "timeline",
    "events --all",
    "logs",
    "runs",
    "tasks",
    "servers",
    "describe x",
    "graph",
    "do x",
    "dev --no-page",
)


@pytest.mark.parametrize("command", COMMANDS)
@settings(max_examples=30)
@given(text=DANGEROUS, width=st.integers(20, 200))
def test_output_on_terminal_has_no_control_characters(command: str, text: str, width: int) -> None:
    result = dyna(*command.split(), engine=an_engine(text), terminal=True, width=width)

    assert result.status in (0, 1)
    assert not UNPRINTABLE.search(without_escapes(result.out + result.err))


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "graph"])
@settings(max_examples=30)
@given(text=DANGEROUS)
def test_json_output_has_no_control_characters(command: str, text: str) -> None:
    if command.startswith("dev"):
        command += " --log-format json"
    else:
        command += " --json"
    result = dyna(*command.split(), engine=an_engine(text), terminal=True)

    assert not UNPRINTABLE.search(result.out)
    for line in result.out.splitlines():
        json.loads(line)


@given(text=st.one_of(DANGEROUS, st.just("NaN"), st.just("[" * 100_000), st.just('{"a":\n1}')))
def test_event_json_is_one_json_value_on_one_line(text: str) -> None:
    line = event_json(text)

    assert "\n" not in line
    value = json.loads(line)
    try:
        expected: Any = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        expected = {"malformed": text}
    assert value == expected


def _no_constant(name: str) -> None:
    raise ValueError(name)


def test_error_on_terminal_has_no_control_characters() -> None:
    fault = UserError(f"{EVIL} failed.", why=EVIL, next=EVIL)

    result = dyna("runs", engine=FakeEngine(fault=fault))

    assert not UNPRINTABLE.search(result.err)


def test_printable_keeps_text_and_line_ends() -> None:
    assert printable(EVIL) == "a1mb\n\nc\nd"
    assert one_line(EVIL) == "a1mb c d"


@pytest.mark.parametrize("code", [*range(0x300), *range(0x2000, 0x2070), 0x61C, 0xFEFF, 0x1F600])
def test_printable_keeps_or_removes_each_character(code: int) -> None:
    """A text that Python calls printable is taken as it is: it has nothing that is removed."""
    character = chr(code)
    if character.isprintable():
        assert UNPRINTABLE.sub("", character) == printable(character) == character
    assert UNPRINTABLE.search(printable(f"a{character}b")) is None


@pytest.mark.parametrize(("text", "shown"), SEQUENCES.items())
def test_control_sequence_leaves_nothing_behind(text: str, shown: str) -> None:
    assert printable(text) == shown


class Terminal(StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [StringIO, Terminal])
@given(text=DANGEROUS)
def test_screen_lets_nothing_through_that_acts(kind: type[StringIO], text: str) -> None:
    """Whatever a renderer has left in its lines."""
    stream = kind()
    screen = Screen(stream, {"TERM": "xterm-256color"})
    screen.print([text, Text(text, "bold red")])
    assert UNPRINTABLE.search(without_escapes(stream.getvalue())) is None

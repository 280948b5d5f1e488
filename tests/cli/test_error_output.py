"""Errors on a terminal: sentences are broken between words, commands never."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from cli.fake_engine import FakeEngine
from cli.run_dyna import dyna, without_escapes
from cordyna_cli.output.errors import error_text
from cordyna_cli.render.layout.paragraph import wrapped
from cordyna_cli.wording.format import duration
from cordyna_core.errors import UserError

WORD = st.text(st.sampled_from("abcdefgh-_."), min_size=1, max_size=12)
SENTENCE = st.lists(WORD, min_size=1, max_size=15).map(" ".join)


@given(what=SENTENCE, why=SENTENCE, width=st.integers(20, 200))
def test_error_text_keeps_words_whole_within_the_width(what: str, why: str, width: int) -> None:
    text = error_text(UserError(what, why=why, next="write it down"), width=width)

    assert all(len(line) <= width for line in text.splitlines())
    assert text.split() == ["error:", *what.split(), *why.split(), "next:", "write", "it", "down"]


def test_error_text_does_not_break_a_command() -> None:
    command = "dyna retry " + " ".join(f"--from task-{n}" for n in range(9))

    text = error_text(UserError("x", next=command), width=30)

    assert text.splitlines()[-1] == f"  next: {command}"


def test_error_text_has_one_word_in_colour() -> None:
    """What a task printed may begin so, too."""
    text = error_text(UserError("error: x", why="error: y"), colour=True)
    assert text == "\x1b[1;31merror:\x1b[0m error: x\n  error: y\n"


@pytest.mark.parametrize("file", [None, "/tmp/some-file"])
def test_full_disk_is_no_fault_of_cordyna(file: str | None) -> None:
    fault = OSError(errno.ENOSPC, "No space left on device", file)

    result = dyna("runs", engine=FakeEngine(fault=fault))

    where = f": {file} cannot be written" if file else ""
    assert (result.status, result.err.splitlines()) == (
        5,
        [
            f"error: a disk of this machine is full{where}.",
            "  next: free some space (df -h), then run the same command again",
        ],
    )


def test_error_text_without_width_is_not_broken() -> None:
    assert error_text(UserError("word " * 50)) == f"error: {'word ' * 50}\n"


def test_error_on_terminal_is_broken_between_words() -> None:
    fault = UserError("one two three four five six seven eight.", next="do something else")

    result = dyna("runs", engine=FakeEngine(fault=fault), terminal=True, width=24)

    assert without_escapes(result.err).splitlines() == [
        "error: one two three",
        "  four five six seven",
        "  eight.",
        "  next: do something",
        "    else",
    ]


def test_note_on_terminal_is_broken_between_words() -> None:
    result = dyna("runs", engine=FakeEngine(summaries=[]), terminal=True, width=16)

    assert (
        without_escapes(result.err)
        == "there is no run\n  yet (in\n  memory)\n  next: dyna do TASK\n"
    )


@given(seconds=st.floats(0, 1e6), words=SENTENCE, width=st.integers(30, 60))
def test_number_and_unit_stay_on_one_line(seconds: float, words: str, width: int) -> None:
    shown = duration(seconds)

    lines = wrapped(Text(f"{words} {shown} {words}"), width)

    *_, last = shown.rsplit(" ", 2)
    number = shown.split()[-2]
    assert any(f"{number} {last}" in line.plain for line in lines)

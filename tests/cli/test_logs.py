"""dyna logs: following, the last lines, patterns and streams."""

import json

import pytest

from cli.fake_engine import FakeEngine
from cli.run_builders import RUN, at, completed_run
from cli.run_dyna import dyna
from cordyna_core.contract.views.runs import LogLine


def a_line(text: str, task: str = "task-1", stream: str = "stdout", after: float = 1) -> LogLine:
    return LogLine.model_validate(
        {
            "run_id": RUN,
            "task": task,
            "attempt": 1,
            "at": at(after),
            "stream": stream,
            "text": text,
        }
    )


LINES = [
    a_line("one"),
    a_line("two", stream="stderr"),
    a_line("three", stream="log"),
    a_line("four", stream="shared"),
    a_line("five"),
]


def an_engine(*later: LogLine) -> FakeEngine:
    return FakeEngine(views=[completed_run()], printed=LINES, printed_later=list(later))


def texts(out: str) -> list[str]:
    return [line.split()[-1] for line in out.splitlines()]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ((), ["one", "two", "three", "four", "five"]),
        (("-n", "2"), ["four", "five"]),
        (("-n", "0"), []),
        (("--grep", "t[wh]"), ["two", "three"]),
        (("--grep", "o", "-n", "1"), ["four"]),
        (("--stream", "stderr"), ["two"]),
        (("--stream", "stdout"), ["one", "four", "five"]),
        (("--stream", "stderr", "--stream", "log"), ["two", "three"]),
    ],
)
def test_logs_options_select_lines(options: tuple[str, ...], shown: list[str]) -> None:
    assert texts(dyna("logs", *options, engine=an_engine()).out) == shown


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ((), ["one", "two", "three", "four", "five", "six", "seven"]),
        (("-n", "1"), ["five", "six", "seven"]),
        (("-n", "1", "--grep", "e"), ["five", "seven"]),
    ],
)
def test_logs_follow_shows_later_lines(options: tuple[str, ...], shown: list[str]) -> None:
    engine = an_engine(a_line("six"), a_line("seven"))

    assert texts(dyna("logs", "-f", *options, engine=engine).out) == shown


def test_logs_follow_as_json_is_an_object_a_line() -> None:
    result = dyna("logs", "-f", "-n", "1", "--json", engine=an_engine(a_line("six")))

    assert [json.loads(line)["text"] for line in result.out.splitlines()] == ["five", "six"]


def test_logs_grep_with_invalid_pattern_exits_with_2() -> None:
    result = dyna("logs", "--grep", "(", engine=an_engine())

    assert (result.status, result.err.splitlines()[0]) == (
        2,
        "error: --grep ( is not a regular expression.",
    )


def test_logs_column_grows_for_a_longer_task() -> None:
    later = a_line("six", task="a-much-longer-task")

    lines = dyna("logs", "-f", "-n", "1", engine=an_engine(later)).out.splitlines()

    assert lines == [
        "03:04:06.000  task-1/1  │ five",
        "03:04:06.000  a-much-longer-task/1  │ six",
    ]

"""What a task prints and logs, as lines that name its attempt."""

import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from cordyna_core import basic_config
from cordyna_core.attempt_output import LINE_CHARS_MAX
from cordyna_core.aws.task_log import TaskLog
from server.builders import NOW, RUN, a_command


@pytest.fixture
def out() -> Iterator[StringIO]:
    """Where an installed task log writes; all is as before afterwards."""
    kept, root = (sys.stdout, sys.stderr), logging.getLogger()
    handlers, level, configure = root.handlers[:], root.level, logging.basicConfig
    is_raised = basic_config._RootLevel.is_raised
    yield StringIO()
    basic_config._RootLevel.is_raised = is_raised
    sys.stdout, sys.stderr = kept
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.basicConfig = configure


def installed(out: StringIO) -> TaskLog:
    log = TaskLog(out, lambda: NOW)
    log.install()
    return log


def lines(out: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_task_log_line_names_attempt_and_stream(out: StringIO) -> None:
    with installed(out).attempt(a_command(attempt=2)):
        print("rows: 3")  # noqa: T201
        print("careful", file=sys.stderr)  # noqa: T201
    assert lines(out) == [
        {
            "timestamp": "2026-09-21T14:13:20.123900Z",
            "level": "INFO",
            "stream": stream,
            "correlation_id": RUN,
            "run_id": RUN,
            "task": "task-1",
            "attempt": 2,
            "message": message,
        }
        for stream, message in (("stdout", "rows: 3"), ("stderr", "careful"))
    ]


@pytest.mark.parametrize(("level", "kept"), [("DEBUG", ["d", "i"]), ("ERROR", [])])
def test_task_log_keeps_the_level_of_the_root_logger(
    out: StringIO, level: str, kept: list[str]
) -> None:
    """User code was imported, and set it, before."""
    logging.getLogger().setLevel(level)
    with installed(out).attempt(a_command()):
        logging.getLogger("a.module").debug("d")
        logging.getLogger("a.module").info("i")
    assert [line["message"] for line in lines(out)] == kept


def test_task_log_partial_line_is_written_at_the_end(out: StringIO) -> None:
    log = installed(out)
    with log.attempt(a_command()):
        print("one, ", end="")  # noqa: T201
        assert lines(out) == []
        print("two\nthree", end="")  # noqa: T201
        assert [line["message"] for line in lines(out)] == ["one, two"]
    assert [line["message"] for line in lines(out)] == ["one, two", "three"]


def test_task_log_record_keeps_level_and_traceback(out: StringIO) -> None:
    with installed(out).attempt(a_command()):
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            logging.getLogger("cordyna.task").exception("it failed")
    (line,) = lines(out)
    assert (line["level"], line["stream"], line["logger"], line["task"]) == (
        "ERROR",
        "log",
        "cordyna.task",
        "task-1",
    )
    assert line["message"].startswith("it failed\nTraceback")


def test_task_log_outside_an_attempt_passes(
    out: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(out)
    print("by no attempt")  # noqa: T201
    logging.getLogger("cordyna.server").info("by the server")
    assert capsys.readouterr().out == "by no attempt\n"
    assert [(line["message"], "run_id" in line) for line in lines(out)] == [
        ("by the server", False)
    ]


def test_task_log_stream_keeps_its_attributes(out: StringIO) -> None:
    inner = sys.stdout
    installed(out)
    assert sys.stdout.encoding == inner.encoding


def test_task_log_broken_logging_call_fails_no_body(out: StringIO) -> None:
    with installed(out).attempt(a_command()):
        logging.getLogger("cordyna.task").info("%d rows", "many")
    (line,) = lines(out)
    assert line["message"].startswith("'%d rows' (not formatted: ")


def test_task_log_text_that_is_no_utf8_is_escaped(out: StringIO) -> None:
    with installed(out).attempt(a_command()):
        print("\ud800 and")  # noqa: T201
        sys.stdout.buffer.write(b"\xff bytes\n")
        sys.stdout.buffer.flush()
        sys.stdout.close()
        sys.stdout.writelines(["one\n", "two\n"])
    assert [line["message"] for line in lines(out)] == ["\\ud800 and", "\\xff bytes", "one", "two"]


def test_task_log_endless_line_is_cut(out: StringIO) -> None:
    with installed(out).attempt(a_command()):
        for _ in range(3):
            print("x" * LINE_CHARS_MAX, end="")  # noqa: T201
    assert [len(line["message"]) for line in lines(out)] == [LINE_CHARS_MAX]

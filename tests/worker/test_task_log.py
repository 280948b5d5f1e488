"""The log of a task: a call that is broken shows its error, and fails no body."""

import logging

import pytest

from cordyna_core.worker.body.output import TaskLogHandler


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no repr")


@pytest.mark.parametrize("argument", [Unprintable(), "text"])
def test_broken_log_call_never_fails_its_caller(
    argument: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, lines = TaskLogHandler("text"), list[str]()
    handler.write = lines.append
    logger = logging.getLogger("broken")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "level", logging.INFO)
    monkeypatch.setattr(logger, "propagate", False)

    logger.info("%d rows", argument)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.info("%d rows", argument)

    assert lines == []
    assert capsys.readouterr().err.count("--- Logging error ---") == (argument == "text")

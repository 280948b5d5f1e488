"""logging.basicConfig of user code, where its records are captured already."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cordyna_core.basic_config import honor_basic_config, keep_info


class Capture(logging.Handler):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record.getMessage())


@contextmanager
def captured() -> Iterator[Capture]:
    """A capture on the root logger, which has no other handler; all is as before afterwards.

    Not a fixture: the test runner adds its handlers after the fixtures.
    """
    root, configure = logging.getLogger(), logging.basicConfig
    handlers, level = root.handlers[:], root.level
    capture = Capture()
    undo = keep_info()
    undo()
    root.handlers[:] = [capture]
    root.setLevel(logging.WARNING)
    yield capture
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.basicConfig = configure


def test_info_is_kept_without_configuration() -> None:
    with captured() as capture:
        undo = keep_info()
        logging.getLogger("a.module").info("read")
        undo()
        logging.getLogger("a.module").info("not read")

    assert capture.kept == ["read"]


def test_level_of_the_root_logger_is_left_alone() -> None:
    with captured():
        logging.getLogger().setLevel(logging.ERROR)
        keep_info()()

        assert logging.getLogger().level == logging.ERROR


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_basic_config_sets_the_level(
    stream: str, capsys: pytest.CaptureFixture[str], *, forced: bool
) -> None:
    with captured() as capture:
        honor_basic_config(capture)
        logging.basicConfig(level=logging.DEBUG, stream=getattr(sys, stream), force=forced)
        logging.getLogger("a.module").debug("once")

    assert capture.kept == ["once"]
    assert capsys.readouterr() == ("", "")


def test_basic_config_of_a_file_writes_there_too(tmp_path: Path) -> None:
    with captured() as capture:
        honor_basic_config(capture)
        logging.basicConfig(filename=tmp_path / "a.log", level="INFO", format="%(message)s")
        logging.getLogger("a.module").info("in both")

    assert capture.kept == ["in both"]
    assert (tmp_path / "a.log").read_text() == "in both\n"


def test_refused_basic_config_keeps_the_capture() -> None:
    with captured() as capture:
        honor_basic_config(capture)
        with pytest.raises(ValueError, match="Unknown level"):
            logging.basicConfig(level="LOUD")
        logging.getLogger("a.module").warning("still here")

    assert capture.kept == ["still here"]


def test_level_that_user_code_sets_later_is_left_alone() -> None:
    """1. INFO is kept before a server is imported. 2. It sets WARNING. 3. It is captured."""
    with captured() as capture:
        undo = keep_info()
        logging.getLogger().setLevel(logging.WARNING)
        keep_info()
        logging.getLogger("a.module").info("not read")
        undo()

        assert logging.getLogger().level == logging.WARNING
    assert capture.kept == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_captures_are_removed_in_any_order(order: tuple[int, int]) -> None:
    with captured() as capture:
        configure, other = logging.basicConfig, Capture()
        logging.getLogger().addHandler(other)
        undo = (honor_basic_config(capture), honor_basic_config(other))
        logging.basicConfig(level=logging.DEBUG)
        logging.getLogger("a.module").debug("in both")
        undo[order[0]]()
        logging.basicConfig(level=logging.INFO, force=True)
        left = (other, capture)[order[0]]
        logging.getLogger("a.module").info("in one")
        undo[order[1]]()

        assert logging.basicConfig is configure
        assert capture.kept[:1] == other.kept[:1] == ["in both"]
        assert left.kept[-1] == "in one"


def test_basic_config_replaced_meanwhile_is_left_alone() -> None:
    with captured() as capture:
        undo = honor_basic_config(capture)
        logging.basicConfig = replaced = lambda **_: None
        undo()

        assert logging.basicConfig is replaced


def test_basic_config_is_as_before_after_undo() -> None:
    with captured() as capture:
        configure = logging.basicConfig

        honor_basic_config(capture)()

        assert logging.basicConfig is configure

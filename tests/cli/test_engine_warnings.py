"""What an engine warns of is a sentence on stderr, broken between words."""

import logging
from dataclasses import dataclass
from io import StringIO

from cli.fake_engine import FakeEngine
from cli.run_dyna import dyna
from cordyna_cli.dev_service import logging_to
from cordyna_cli.engine import EngineOptions

WARNING = "no longer declared: warehouse-synchronisation, because only shop was named"


@dataclass
class WarningEngine(FakeEngine):
    def open(self, options: EngineOptions) -> FakeEngine:
        logging.getLogger("cordyna").warning("%s", WARNING)
        logging.getLogger("cordyna").info("servers are loading")
        return super().open(options)


def test_warning_of_the_engine_is_wrapped_on_a_terminal() -> None:
    result = dyna("servers", engine=WarningEngine(), terminal=True, width=50)

    lines = result.err.splitlines()
    assert " ".join(map(str.strip, lines[:2])) == WARNING
    assert max(map(len, lines)) <= 50
    assert "loading" not in result.err


def test_warning_of_the_engine_is_one_line_in_a_pipe() -> None:
    assert dyna("servers", engine=WarningEngine()).err.splitlines()[0] == WARNING


def test_warning_of_dev_is_a_record_of_its_log_only() -> None:
    log = StringIO()
    with logging_to(log, as_json=False):
        result = dyna("servers", engine=WarningEngine())

    assert WARNING not in result.err
    assert log.getvalue().splitlines()[0] == f"WARNING {WARNING}"


def test_warning_of_dev_is_wrapped_on_a_terminal() -> None:
    log = StringIO()
    with logging_to(log, as_json=False, width=40):
        dyna("servers", engine=WarningEngine())

    lines = log.getvalue().splitlines()
    assert " ".join(map(str.strip, lines)).startswith(f"WARNING {WARNING}")
    assert max(map(len, lines)) <= 40

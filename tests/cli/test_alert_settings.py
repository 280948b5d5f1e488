"""[tool.cordyna.alerts]: where the incidents of an owner are sent."""

from pathlib import Path
from typing import Any

import pytest

from cli.fake_engine import FakeEngine
from cli.run_dyna import dyna
from cordyna_cli.engine import AlertTarget
from cordyna_cli.input.alert_targets import alert_problems

GOOD = """
[tool.cordyna]
servers = ["my.py"]
[tool.cordyna.alerts]
team-a = { webhook = "env:HOOK", format = "slack" }
"*" = { command = "notify-send cordyna" }
"""


def test_alerts_are_given_to_the_engine(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(GOOD)
    engine = FakeEngine()

    assert dyna("runs", engine=engine, cwd=tmp_path).status == 0
    assert engine.options is not None
    assert engine.options.alerts == {
        "team-a": AlertTarget(webhook="env:HOOK", format="slack"),
        "*": AlertTarget(command="notify-send cordyna"),
    }


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("slack", "`alerts` is a table"),
        ({"a": "https://x"}, "`alerts`, a: write a table"),
        ({"a": {}}, "give either `webhook` or `command`"),
        ({"a": {"webhook": "https://x", "command": "y"}}, "give either"),
        ({"a": {"webhook": "ftp://x"}}, "`webhook` begins with https://, http:// or env:"),
        ({"a": {"webhook": 7}}, "`webhook` is a text"),
        ({"a": {"command": "say 'oh"}}, "`command` has an open quote"),
        ({"a": {"command": "x", "format": "xml"}}, "`format` is one of json, slack, teams"),
        ({"a": {"command": "x", "when": "now"}}, "there is no setting `when`"),
    ],
)
def test_wrong_alerts_are_refused(value: Any, problem: str) -> None:
    assert any(problem in line for line in alert_problems(value))


def test_wrong_alerts_name_their_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.cordyna.alerts]\na = {}\n")

    result = dyna("runs", engine=FakeEngine(), cwd=tmp_path)

    assert result.status == 1
    assert "pyproject.toml" in result.err
    assert "`alerts`, a: give either" in result.err

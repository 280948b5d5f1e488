"""dyna plan --declare exec:COMMAND: the server in another language declares itself."""

import json
import shlex
from pathlib import Path
from typing import Any, NoReturn

import pytest

from cli.fake_engine import FakeEngine
from cli.run_dyna import dyna
from cordyna_cli.input import load_exec

DECLARED = {"server": "shell", "tasks": [{"name": "greet"}]}


def target(tmp_path: Path, *lines: str) -> str:
    script = tmp_path / "server.sh"
    script.write_text("\n".join(lines) + "\n")
    return f"exec:sh {shlex.quote(str(script))}"


def declares(detail: dict[str, Any]) -> str:
    frame = json.dumps({"detail-type": "ServerDeclared", "detail": detail})
    return f"echo {shlex.quote(frame)}; cat >/dev/null"


def test_exec_server_is_rehearsed_as_it_declares_itself(tmp_path: Path) -> None:
    engine = FakeEngine()

    result = dyna(
        "plan", "--declare", target(tmp_path, declares(DECLARED)), engine=engine, cwd=tmp_path
    )

    assert result.status == 0, result.err
    (declared,) = engine.declared_in_rehearsal
    assert (declared.server, [task.name for task in declared.tasks]) == ("shell", ["greet"])


def test_exec_server_without_program_names_it(tmp_path: Path) -> None:
    result = dyna("plan", "--declare", "exec:no-such-program x", engine=FakeEngine(), cwd=tmp_path)

    assert result.status == 1
    assert result.err.startswith("error: exec:no-such-program x did not declare itself.\n")
    assert "no-such-program: there is no such program" in result.err
    assert "install it, or give its path" in result.err


def test_exec_server_that_ends_at_once_shows_its_output(tmp_path: Path) -> None:
    result = dyna(
        "plan",
        "--declare",
        target(tmp_path, "echo broken >&2", "exit 3"),
        engine=FakeEngine(),
        cwd=tmp_path,
    )

    assert result.status == 1
    assert "exit code 3" in result.err
    assert "broken" in result.err


def test_exec_server_with_bad_declaration_is_refused(tmp_path: Path) -> None:
    bad = {"server": "shell", "tasks": [{"name": "no name"}]}

    result = dyna(
        "plan", "--declare", target(tmp_path, declares(bad)), engine=FakeEngine(), cwd=tmp_path
    )

    assert result.status == 1
    assert "is not a valid declaration" in result.err


def test_exec_server_without_a_host_is_a_service_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> NoReturn:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(load_exec, "WorkerPool", refuse)

    result = dyna("plan", "--declare", "exec:true", engine=FakeEngine())

    assert result.status == 5
    assert "the worker host could not be started" in result.err

"""Secrets on the embedded engine: nothing that a run leaves has the value of one.

Whatever a home, a command or an answer is made of is searched for the values.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import DiskHome
from cordyna_cli.engine import Invoked, Refused
from cordyna_core import Context, TaskServer
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.secret_params import REDACTED
from world.command_line import Folder

RESOLVED: Final = "resolved-hunter2-value"
PLAIN: Final = "plain-hunter2-value"

SERVER: Final = f"""
from pydantic import SecretStr
from cordyna_core import Context, TaskServer

server = TaskServer("sales")


@server.task
def load(token: SecretStr, *, ctx: Context) -> dict[str, object]:
    print("token is", token)
    ctx.log.info("logging in with %r", token)
    ctx.progress(0.5, f"with {{token}}")
    assert token.get_secret_value() == "{RESOLVED}"
    return {{"token": str(token)}}


@server.task
def fails(token: SecretStr) -> None:
    raise ValueError("cannot log in with " + token.get_secret_value())


@server.task
def asks(*, ctx: Context) -> str:
    return ctx.invoke("load", token="{PLAIN}")
"""


def found_in(folder: Path, *values: str) -> list[str]:
    """The files that have one of the values in them, without what Python compiled from them."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix != ".pyc"
        and any(value.encode() in path.read_bytes() for value in values)
    ]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> TaskServer:
    monkeypatch.setenv("SALES_TOKEN", RESOLVED)
    server = TaskServer("sales")

    @server.task
    def load(token: SecretStr, *, ctx: Context) -> str:
        ctx.log.info("logging in with %s", token)
        assert token.get_secret_value() == RESOLVED
        return repr(token)

    @server.task
    def asks(*, ctx: Context) -> str:
        return ctx.invoke("load", token=PLAIN)

    return server


@pytest.fixture
def engine(server: TaskServer, tmp_path: Path) -> Iterator[EmbeddedEngine]:
    with closing(EmbeddedEngine(DiskHome(tmp_path / "home"), [server])) as engine:
        yield engine


def finished(engine: EmbeddedEngine, task: str, **params: Any) -> Any:
    answer = engine.invoke(InvokeTask(task=task, params=params))
    assert isinstance(answer, Invoked)
    *_, view = engine.follow(answer.run_id)
    return view


def problems_among(engine: EmbeddedEngine) -> list[str]:
    """The codes of the refusals among all events."""
    refusals = [json.loads(event.text) for event in engine.events()]
    return [
        problem["code"]
        for event in refusals
        if event["detail-type"] == "InvocationRejected"
        for problem in event["detail"]["problems"]
    ]


def test_run_with_a_reference_keeps_the_reference_only(
    engine: EmbeddedEngine, tmp_path: Path
) -> None:
    view = finished(engine, "load", token="env:SALES_TOKEN")

    assert view.state == "completed"
    assert view.tasks[-1].params == {"token": "env:SALES_TOKEN"}
    texts = [event.text for event in engine.events()]
    texts += [line.text for line in engine.logs(view.run_id)]
    assert any("env:SALES_TOKEN" in text for text in texts)
    assert not any(RESOLVED in text for text in [*texts, view.model_dump_json()])
    assert found_in(tmp_path, RESOLVED) == []
    assert found_in(tmp_path, "env:SALES_TOKEN") != []


def test_plain_value_is_refused_before_it_is_stored(engine: EmbeddedEngine, tmp_path: Path) -> None:
    answer = engine.invoke(InvokeTask(task="load", params={"token": PLAIN}))

    assert isinstance(answer, Refused)
    (problem,) = answer.problems
    assert problem.code == "plain_secret"
    assert "parameter token is a secret of load (sales)" in problem.message
    assert PLAIN not in problem.message
    assert found_in(tmp_path, PLAIN) == []


def raw_event(params: Any, **detail: Any) -> str:
    body = {"task": "load", "params": params, **detail}
    return json.dumps({"source": CLIENT, "detail-type": "InvokeTask", "detail": body})


def test_raw_event_with_a_plain_value_is_kept_redacted(
    engine: EmbeddedEngine, tmp_path: Path
) -> None:
    engine.send([raw_event({"token": PLAIN, "more": 1})])

    assert problems_among(engine) == ["plain_secret"]
    (event,) = [one for one in engine.events() if '"InvokeTask"' in one.text]
    assert json.loads(event.text)["detail"]["params"] == {"token": REDACTED, "more": 1}
    assert found_in(tmp_path, PLAIN) == []


def test_inbox_of_another_driver_has_no_plain_value(
    engine: EmbeddedEngine, server: TaskServer, tmp_path: Path
) -> None:
    finished(engine, "load", token="env:SALES_TOKEN")
    with closing(EmbeddedEngine(DiskHome(tmp_path / "home"), [server])) as other:
        other.send([raw_event({"token": PLAIN})])
        assert not other.drives
        assert found_in(tmp_path, PLAIN) == []


def test_dead_letter_has_no_plain_value(engine: EmbeddedEngine, tmp_path: Path) -> None:
    engine.send([raw_event({"token": PLAIN}, key=5)])

    ((letter, _),) = engine.dead_letters()
    assert json.loads(letter)["detail"]["params"] == {"token": REDACTED}
    assert found_in(tmp_path, PLAIN) == []


def test_invocation_by_a_body_with_a_plain_value_is_redacted(
    engine: EmbeddedEngine, tmp_path: Path
) -> None:
    view = finished(engine, "asks")

    assert view.state == "completed"
    assert problems_among(engine) == ["plain_secret"]
    assert found_in(tmp_path, PLAIN) == []


@pytest.mark.parametrize("text", ["no JSON", '{"InvokeTask": "params"', '["InvokeTask", "params"]'])
def test_what_is_no_event_is_kept_as_it_is(engine: EmbeddedEngine, text: str) -> None:
    engine.send([text])
    ((letter, _),) = engine.dead_letters()
    assert letter == text


def test_dyna_and_worker_processes_leave_no_secret(tmp_path: Path) -> None:
    """The whole of it: commands, outputs, logs and exported JSON of real processes."""
    folder = Folder(tmp_path, "my_server.py", SERVER)
    folder.environment["SALES_TOKEN"] = RESOLVED
    refused = folder.dyna("do", "load", "-p", f"token={PLAIN}")
    commands = [
        folder.dyna("do", "load", "-p", "token=env:SALES_TOKEN", "--json"),
        folder.dyna("show", "--json"),
        folder.dyna("logs"),
        folder.dyna("events", "--json"),
        folder.dyna("do", "fails", "-p", "token=env:SALES_TOKEN", "--json"),
        folder.dyna("why"),
        folder.dyna("do", "asks", "--json"),
        folder.dyna("events", "--json"),
        folder.dyna("dlq", "ls", "--json"),
        refused,
    ]
    (tmp_path / "outputs").write_text("\n".join(one.stdout + one.stderr for one in commands))

    assert (refused.returncode, "is a secret of load (sales)" in refused.stderr) == (1, True)
    assert [one.returncode for one in commands[:5]] == [0, 0, 0, 0, 1]
    assert "token is **********" in commands[2].stdout
    assert found_in(tmp_path, PLAIN) == ["my_server.py"]
    assert found_in(tmp_path, RESOLVED) == ["my_server.py"]

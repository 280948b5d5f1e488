"""`dyna dev`: it stays up, shows every event, fires crons, and reloads changed servers."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import open_engine
from cerebro.embedded.storage.home import MemoryHome
from cordyna_cli.engine import EngineOptions
from cordyna_core import TaskServer

SERVER = """
from cordyna_core import TaskServer
server = TaskServer("mine")

@server.task
def {name}():
    return 1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SERVER.format(name="one"))
    return path


@pytest.fixture
def engine(file: Path, tmp_path: Path) -> Iterator[EmbeddedEngine]:
    with open_engine(EngineOptions(servers=(str(file),), home=str(tmp_path / "home"))) as engine:
        yield engine


def details(engine: EmbeddedEngine) -> Iterator[dict[str, Any]]:
    """What is said in the events, as they pass."""
    for event in engine.dev():
        yield json.loads(event.text)["detail"]


def test_reload_changed_file_declares_server_again(engine: EmbeddedEngine, file: Path) -> None:
    passing = details(engine)
    next(passing)  # it is up, and has seen the file
    file.write_text(SERVER.format(name="another_one"))

    declared = next(detail for detail in passing if "tasks" in detail)

    assert [task["name"] for task in declared["tasks"]] == ["another-one"]
    assert [task.task for task in engine.tasks()] == ["another-one"]


def test_reload_keeps_the_time_since_which_a_home_is_driven(
    engine: EmbeddedEngine, file: Path
) -> None:
    passing = details(engine)
    next(passing)  # it is up, and has seen the file
    before = engine.driver()
    file.write_text(SERVER.format(name="another_one").replace("mine", "ours"))
    next(detail for detail in passing if "tasks" in detail)

    # The record is written after the declaration has passed.
    while (after := engine.driver()) is None or after.servers != ("ours",):
        next(passing)

    assert before is not None
    assert after.since == before.since


def test_reload_broken_file_is_reported_and_keeps_server(
    engine: EmbeddedEngine, file: Path
) -> None:
    passing = details(engine)
    next(passing)
    file.write_text("this is no Python")

    answer = next(detail for detail in passing if "problems" in detail)

    assert answer["problems"][0]["code"] == "not_loaded"
    assert "mine.py" in answer["problems"][0]["message"]
    assert [task.task for task in engine.tasks()] == ["one"]
    (servers,) = [item for item in engine.operations.examine() if item.what == "servers"]
    assert servers.state == "worth a look"
    assert "mine runs its earlier code, and failed to reload: " in servers.detail


def test_reload_of_repaired_file_closes_its_incident(engine: EmbeddedEngine, file: Path) -> None:
    passing, good = details(engine), file.read_text()
    next(passing)
    file.write_text("this is no Python")
    opened = next(detail for detail in passing if detail.get("incident"))
    file.write_text(good)

    closed = next(detail for detail in passing if detail.get("incident"))

    assert (opened["kind"], closed["incident"]) == ("rejected_declaration", opened["incident"])
    assert list(engine.incidents()) == []
    assert [task.task for task in engine.tasks()] == ["one"]


def test_reload_of_another_server_leaves_the_incident_open(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "other.py"
    other.parent.mkdir()
    other.write_text(SERVER.format(name="two").replace('"mine"', '"other"'))
    servers = (str(file), str(other))
    with open_engine(EngineOptions(servers=servers, home=str(tmp_path / "home"))) as engine:
        passing = details(engine)
        next(passing)
        file.write_text("this is no Python")
        opened = next(detail for detail in passing if detail.get("incident"))
        other.write_text(SERVER.format(name="three").replace('"mine"', '"other"'))
        next(detail for detail in passing if "generation" in detail and "server" in detail)

        open_incidents = [incident.incident for incident in engine.incidents()]

    assert open_incidents == [opened["incident"]]


class Shifted:
    """The real clock, moved so that it is a moment before a full minute when it is made."""

    def __init__(self) -> None:
        self._by = 1_800_000_000.0 - 0.1 - time.time()

    def __call__(self) -> float:
        return time.time() + self._by


def test_cron_fires_at_nominal_time_and_runs_task() -> None:
    server = TaskServer("s")
    server.task(name="pulse", cron="* * * * *")(lambda: "beat")

    with EmbeddedEngine(MemoryHome(), [server], clock=Shifted()) as engine:
        passing = details(engine)
        invoked = next(detail for detail in passing if "scheduled_at" in detail)
        command = next(detail for detail in passing if "ack_by" in detail)
        completed = next(detail for detail in passing if detail.get("state") == "completed")

    assert (invoked["task"], invoked["scheduled_at"]) == ("pulse", "2027-01-15T08:00:00.000Z")
    assert command["scheduled_at"] == invoked["scheduled_at"]
    assert completed["output"] == "beat"


def test_missed_ticks_are_reported_in_one_message() -> None:
    server, home = TaskServer("s"), MemoryHome()
    server.task(name="pulse", cron="0 * * * *")(lambda: None)
    clock = Shifted()
    home.store.write_tick("pulse", clock() - 3 * 3600)

    with EmbeddedEngine(home, [server], clock=clock) as engine:
        answer = next(detail for detail in details(engine) if "problems" in detail)

    assert [problem["code"] for problem in answer["problems"]] == ["missed_tick"]
    assert "3 ticks of 'pulse'" in answer["problems"][0]["message"]


def test_reload_renamed_server_replaces_the_old_one(engine: EmbeddedEngine, file: Path) -> None:
    passing = details(engine)
    next(passing)
    file.write_text(SERVER.format(name="one").replace('"mine"', '"yours"'))

    accepted = next(
        detail for detail in passing if "generation" in detail and detail["server"] == "yours"
    )

    assert accepted["generation"] > 1
    assert [(task.task, task.server) for task in engine.tasks()] == [("one", "yours")]


def test_home_without_servers_handles_what_others_send(tmp_path: Path) -> None:
    options = EngineOptions(home=str(tmp_path / "home"))
    declared = {"server": "s", "revision": 1, "tasks": [{"name": "t"}]}
    with open_engine(options) as driving, open_engine(options) as other:
        passing = (json.loads(event.text) for event in driving.dev())
        other.send([event_text("cordyna.server.s", "ServerDeclared", declared)])
        other.send([event_text("cordyna.client", "InvokeTask", {"task": "t"})])

        sent = next(event for event in passing if event["detail-type"] == "RunTask")

        assert sent["detail"]["server"] == "s"
        assert driving.dead_letters() == []


def event_text(source: str, detail_type: str, detail: dict[str, Any]) -> str:
    return json.dumps({"source": source, "detail-type": detail_type, "detail": detail})

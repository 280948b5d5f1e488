"""State updates and commands are both events; what a task does and how a server is are told apart."""

import json

from cerebro.handlers import queries
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import ServerStateChanged, TaskStateChanged
from mission.stage import Stage


def test_every_command_and_every_state_update_passes_the_bus_as_an_event() -> None:
    stage = Stage("a: x")

    stage.invoke("x")

    raw = [json.loads(event.text) for event in stage.home.event_log.events(None, 0)]
    assert [(event["source"], event["detail-type"]) for event in raw[2:]] == [
        ("cordyna.client", "InvokeTask"),
        ("cordyna.cerebro", "RunStateChanged"),
        ("cordyna.cerebro", "RunTask"),
        ("cordyna.server.a", "TaskStateChanged"),
        ("cordyna.server.a", "TaskStateChanged"),
        ("cordyna.cerebro", "RunStateChanged"),
    ]


def test_a_command_is_in_the_imperative_and_has_one_addressee() -> None:
    stage = Stage("a: x", "b: y<-x")

    stage.invoke("y")

    assert RunTask.is_command
    assert not TaskStateChanged.is_command
    assert [
        envelope.message.server
        for envelope in stage.said(RunTask)
        if isinstance(envelope.message, RunTask)
    ] == ["a", "b"]


def test_what_a_server_says_of_itself_changes_no_task() -> None:
    stage = Stage("a: x", silent=("x",))
    run = stage.invoke("x")
    before = stage.states(run)

    stage.put(ServerStateChanged(server="a", state="stopped"), server_source("a"))

    assert stage.states(run) == before
    assert queries.servers(stage.home.store)[0].state == "stopped"


def test_what_a_task_does_changes_no_server() -> None:
    stage = Stage("a: x", fails=("x",))

    stage.invoke("x")

    assert queries.servers(stage.home.store)[0].state == "ready"


def test_the_envelope_names_its_cause_so_that_a_history_can_be_followed() -> None:
    stage = Stage("a: x")
    stage.invoke("x")

    (invoked, *_) = [envelope for envelope in stage.passed() if envelope.source == "cordyna.client"]
    (command,) = stage.said(RunTask)

    assert command.message.meta is not None
    assert command.message.meta.cause == invoked.id

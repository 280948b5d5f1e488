"""Commands and state updates are events; states of tasks and states of servers are independent."""

import json

from cerebro.handlers import queries
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import ServerStateChanged, TaskStateChanged
from world.scenarios import an_engine


def test_every_command_and_update_is_an_event_on_the_bus() -> None:
    world = an_engine("a: x")

    world.invoke("x")

    raw = [json.loads(event.text) for event in world.driver.home.event_log.events(None, 0)]
    assert [(event["source"], event["detail-type"]) for event in raw[3:]] == [
        ("cordyna.client", "InvokeTask"),
        ("cordyna.cerebro", "RunStateChanged"),
        ("cordyna.cerebro", "RunTask"),
        ("cordyna.server.a", "TaskStateChanged"),
        ("cordyna.server.a", "TaskStateChanged"),
        ("cordyna.cerebro", "RunStateChanged"),
    ]


def test_command_has_one_addressee() -> None:
    world = an_engine("a: x", "b: y<-x")

    world.invoke("y")

    assert RunTask.is_command
    assert not TaskStateChanged.is_command
    assert [
        envelope.message.server
        for envelope in world.driver.events_of(RunTask)
        if isinstance(envelope.message, RunTask)
    ] == ["a", "b"]


def test_server_state_change_changes_no_task() -> None:
    world = an_engine("a: x", silent=("x",))
    world.invoke("x")
    before = world.states()

    world.publish(ServerStateChanged(server="a", state="stopped"), server_source("a"))

    assert world.states() == before
    assert queries.servers(world.driver.home.store)[0].state == "stopped"


def test_task_failure_changes_no_server_state() -> None:
    world = an_engine("a: x", fails=("x",))

    world.invoke("x")

    assert queries.servers(world.driver.home.store)[0].state == "ready"


def test_command_names_its_cause() -> None:
    world = an_engine("a: x")
    world.invoke("x")

    (invoked, *_) = [
        envelope for envelope in world.driver.events() if envelope.source == "cordyna.client"
    ]
    (command,) = world.driver.events_of(RunTask)

    assert command.message.meta is not None
    assert command.message.meta.cause == invoked.id

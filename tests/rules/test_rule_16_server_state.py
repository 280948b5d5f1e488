"""Rule 16: the state of a server (docs/rules.md, rule 16)."""

import pytest

from cerebro.handlers import queries
from cerebro.handlers.receive import Delivery, receive
from cordyna_core.contract.commands import RemoveServer
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import ServerStateChanged
from cordyna_core.contract.time import utc
from world.scenarios import ReactionWorld, a_run


def state(world: ReactionWorld) -> str:
    return next(server.state for server in queries.servers(world.store) if server.server == "s")


def report_state(world: ReactionWorld, reported: str) -> None:
    message = ServerStateChanged.model_validate({"server": "s", "state": reported})
    world.handle(Envelope(server_source("s"), message, f"event-{reported}", utc(world.now)))


def test_server_state_is_as_reported() -> None:
    world = a_run("a")
    for reported in ("ready", "draining", "stopped"):
        world.now += 1
        report_state(world, reported)
        assert state(world) == reported


def test_server_with_missed_ack_is_unresponsive() -> None:
    world = a_run("a")
    report_state(world, "ready")
    assert state(world.after(12)) == "unresponsive"


def test_server_whose_body_takes_too_long_stays_ready() -> None:
    world = a_run("a", a="started")
    report_state(world, "ready")
    world.after(1802)
    assert world.state_of("a") == "error run_timeout"
    assert state(world) == "ready"


def test_any_update_is_a_sign_of_life() -> None:
    world = a_run("a")
    report_state(world, "ready")
    world.after(12).report("a", "queued")
    assert state(world) == "ready"


def test_server_state_changes_no_task_state() -> None:
    world = a_run("a  b<-a", a="started")
    report_state(world, "stopped")
    assert world.state_of("a") == "started"
    assert world.after(600).state_of("a") == "started"
    world.reach("a", "completed")
    assert world.state_of("b") == "pending dispatched"


def declare(world: ReactionWorld, event: str, task: str, *upstream: str) -> None:
    tasks = [{"name": task, "upstream": list(upstream)}]
    detail = {"server": "new", "contract": "1", "revision": 1, "tasks": tasks}
    declared = ServerDeclared.model_validate(detail)
    world.handle(Envelope(server_source("new"), declared, event, utc(world.now)))


def states(world: ReactionWorld) -> dict[str, tuple[str, int]]:
    return {each.server: (each.state, each.tasks) for each in queries.servers(world.store)}


def test_server_that_was_removed_is_undeclared() -> None:
    world = a_run("a")
    declare(world, "event-1", "its")
    assert states(world)["new"] == ("ready", 1)
    removal = RemoveServer(server="new", revision=1)
    world.handle(Envelope(server_source("new"), removal, "event-2", utc(world.now)))
    assert states(world)["new"] == ("undeclared", 0)


def test_server_that_only_reports_its_state_is_undeclared() -> None:
    world = a_run("a")
    message = ServerStateChanged(server="new", state="ready")
    world.handle(Envelope(server_source("new"), message, "event-1", utc(world.now)))
    assert states(world)["new"] == ("undeclared", 0)


@pytest.mark.parametrize(("server", "states_of_it"), [("typo", ["undeclared"]), ("not a name", [])])
def test_server_whose_declaration_is_malformed_is_listed(
    server: str, states_of_it: list[str]
) -> None:
    world = a_run("a")
    event = (
        f'{{"id":"event-1","source":"{server_source(server)}","detail-type":"ServerDeclared",'
        f'"time":"2027-01-15T08:00:00Z","detail":{{"server":"{server}","contract":"1",'
        '"revision":1,"tasks":[{"name":"its","cron":"61 * * * *"}]}}'
    )
    receive([Delivery("receipt", event)], world.driver.ports)
    assert [state for name, (state, _) in states(world).items() if name == server] == states_of_it

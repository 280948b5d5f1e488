"""Rule 16: the state of a server (docs/rules.md, rule 16)."""

from cerebro.handlers import queries
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

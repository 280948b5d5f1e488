"""Rule 16: ready, draining, stopped as a server says; unresponsive after missed acknowledgements; any word is a sign of life."""

from cerebro.handlers import queries
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import ServerStateChanged
from cordyna_core.contract.time import utc
from rules.scene import Scene, a_run


def state(scene: Scene) -> str:
    return next(server.state for server in queries.servers(scene.store) if server.server == "s")


def say(scene: Scene, word: str) -> None:
    message = ServerStateChanged.model_validate({"server": "s", "state": word})
    scene.hears(Envelope(server_source("s"), message, f"event-{word}", utc(scene.now)))


def test_it_is_what_it_says() -> None:
    scene = a_run("a")
    for word in ("ready", "draining", "stopped"):
        scene.now += 1
        say(scene, word)
        assert state(scene) == word


def test_it_is_unresponsive_after_a_missed_acknowledgement() -> None:
    scene = a_run("a")
    say(scene, "ready")
    assert state(scene.after(12)) == "unresponsive"


def test_any_word_is_a_sign_of_life() -> None:
    scene = a_run("a")
    say(scene, "ready")
    scene.after(12).says("a", "queued")
    assert state(scene) == "ready"


def test_it_never_changes_a_tasks_state_by_itself() -> None:
    scene = a_run("a  b<-a", a="started")
    say(scene, "stopped")
    assert scene.is_at("a") == "started"
    assert scene.after(600).is_at("a") == "started"
    scene.comes_to("a", "completed")
    assert scene.is_at("b") == "pending dispatched"

"""GraphChanged: what a declaration added, removed and changed, and whom that affects."""

from typing import Any

from cordyna_core.contract.commands import RemoveServer
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.incidents import GraphChanged
from world.scenarios import a_world, an_engine
from world.world import World


def changes(world: World[Any]) -> list[GraphChanged]:
    return [message for message in world.published if isinstance(message, GraphChanged)]


def test_first_declaration_adds_its_tasks() -> None:
    (change,) = changes(a_world("a  b<-a"))
    assert (change.generation, change.server, change.added) == (1, "s", ["a", "b"])
    assert (change.removed, change.changed, change.affected) == ([], [], [])


def test_redeclaration_names_what_it_changes_and_affects() -> None:
    world = a_world("a  b  c")
    world.declare("t", "x<-a  y<-x  z<-c")
    world.declare("s", "a<-b  d  c", revision=1, d={"retries": 1})
    change = changes(world)[-1]
    assert (change.generation, change.server) == (3, "s")
    assert (change.added, change.removed, change.changed) == (["d"], ["b"], ["a"])
    assert change.affected == ["x", "y"]


def test_sign_of_life_and_rejection_change_nothing() -> None:
    world = a_world("a")
    world.declare("s", "a")
    world.declare("s", "a<-a")
    assert len(changes(world)) == 1


def test_removal_removes_its_tasks() -> None:
    world = a_world("a")
    world.publish(RemoveServer(server="s"), CLIENT)
    change = changes(world)[-1]
    assert (change.server, change.removed) == ("s", ["a"])


def test_batch_names_every_server_that_changed() -> None:
    world = an_engine("s: a", "t: b")
    world.driver.declare("s: a", "t: b  c")
    assert [change.server for change in changes(world)] == ["s", "t", "t"]


def test_long_lists_are_cut() -> None:
    world = a_world("  ".join(f"t{n}" for n in range(1100)))
    assert len(changes(world)[0].added) == 1000

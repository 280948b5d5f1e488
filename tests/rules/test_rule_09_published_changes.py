"""Rule 9: what changes the graph is published, whatever crashes (docs/rules.md, rule 9)."""

from typing import Any

import pytest

from cordyna_core.contract.commands import RemoveServer
from cordyna_core.contract.ids import CLIENT, server_source
from cordyna_core.contract.incidents import GraphChanged
from world.declarations import declared
from world.scenarios import ReactionWorld, a_world


def changes(world: ReactionWorld) -> list[tuple[str, list[str], list[str]]]:
    """What was published: server, added, removed; each event once, in order."""
    by_id = {
        message.meta.id: message
        for message in world.published
        if isinstance(message, GraphChanged) and message.meta is not None
    }
    return [(change.server, change.added, change.removed) for change in by_id.values()]


FIRST: tuple[str, list[str], list[str]] = ("s", ["a"], [])


def declaration(world: ReactionWorld, tasks: str, revision: int) -> Any:
    return world.envelope(declared("s", tasks, revision=revision), server_source("s"))


@pytest.mark.parametrize("effects", range(1, 14))
def test_declaration_that_crashed_is_published_again(effects: int) -> None:
    world = a_world("a")
    second = declaration(world, "a  b", 1)
    world.driver.crash(second, after=effects)
    world.handle(second)
    assert changes(world) == [FIRST, ("s", ["b"], [])]


@pytest.mark.parametrize("effects", range(1, 14))
def test_declaration_that_crashed_is_published_by_the_next(effects: int) -> None:
    world = a_world("a")
    second, third = declaration(world, "a  b", 1), declaration(world, "c", 2)
    world.driver.crash(second, after=effects)
    was_accepted = "b" in world.store.read_graph()
    world.handle(third)
    if was_accepted:
        assert changes(world) == [FIRST, ("s", ["b"], []), ("s", ["c"], ["a", "b"])]
    else:
        assert changes(world) == [FIRST, ("s", ["c"], ["a"])]


@pytest.mark.parametrize("effects", range(1, 12))
def test_removal_that_crashed_is_published_again(effects: int) -> None:
    world = a_world("a")
    removal = world.envelope(RemoveServer(server="s"), CLIENT)
    world.driver.crash(removal, after=effects)
    world.handle(removal)
    assert changes(world) == [FIRST, ("s", [], ["a"])]


@pytest.mark.parametrize("effects", range(1, 14))
def test_declaration_that_lost_publishes_what_it_changed(effects: int) -> None:
    world = a_world("a")
    resume = world.driver.begin(declaration(world, "a  b", 1), effects=effects)
    world.declare("t", "x")
    resume(100)
    assert sorted(changes(world)) == sorted([FIRST, ("t", ["x"], []), ("s", ["b"], [])])
    assert world.store.read_graph_change("s", world.store.read_graph().head.servers["s"]) is None


def test_sign_of_life_publishes_no_change_again() -> None:
    world = a_world("a")
    sent = len(world.published)
    world.handle(declaration(world, "a", 0))
    assert not any(isinstance(message, GraphChanged) for message in world.published[sent:])

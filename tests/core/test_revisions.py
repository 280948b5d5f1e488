"""Revisions of declarations: what is ignored, and the removal of a server."""

import pytest

from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import RemoveServer
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationIgnored,
    ServerRemoved,
)
from world.scenarios import ReactionWorld, a_world


def answer(world: ReactionWorld) -> Message:
    """The last published message, without the meta that differs between tests."""
    return world.published[-1].model_copy(update={"meta": None})


def remove(world: ReactionWorld, server: str, revision: int) -> Message:
    world.publish(RemoveServer(server=server, revision=revision), server_source(server))
    return answer(world)


def test_lower_revision_with_other_tasks_is_ignored_loudly() -> None:
    world = a_world("a")
    world.declare("s", "a  b", revision=2)
    generation = world.store.read_graph().generation
    world.declare("s", "a", revision=1)
    assert answer(world) == DeclarationIgnored(
        server="s", revision=1, accepted_revision=2, generation=generation
    )


def test_lower_revision_with_the_same_tasks_is_accepted() -> None:
    world = a_world("a")
    world.declare("s", "a  b", revision=2)
    generation = world.store.read_graph().generation
    world.declare("s", "a  b", revision=0)
    assert answer(world) == DeclarationAccepted(server="s", generation=generation)
    assert world.store.read_graph().declarations["s"].revision == 2


def test_higher_revision_with_the_same_tasks_is_accepted() -> None:
    world = a_world("a")
    world.declare("s", "a  b", revision=2)
    world.declare("s", "a  b", revision=3)
    assert world.store.read_graph().declarations["s"].revision == 3


def test_removed_server_frees_its_names() -> None:
    world = a_world("a")
    world.declare("t", "b<-a")
    assert remove(world, "t", 5) == ServerRemoved(
        server="t", generation=world.store.read_graph().generation
    )
    assert set(world.store.read_graph()) == {"a"}
    world.declare("u", "b")
    assert world.store.read_graph().server_of("b") == "u"


@pytest.mark.parametrize("times", [1, 2])
def test_removal_of_an_unknown_server_is_answered(times: int) -> None:
    world = a_world("a")
    generation = world.store.read_graph().generation
    for _ in range(times):
        assert remove(world, "t", 5) == ServerRemoved(server="t", generation=generation)


def test_removal_below_the_accepted_revision_is_ignored() -> None:
    world = a_world("a")
    world.declare("t", "b", revision=7)
    assert isinstance(remove(world, "t", 6), DeclarationIgnored)
    assert set(world.store.read_graph()) == {"a", "b"}


def test_removed_server_leaves_downstream_unresolved() -> None:
    world = a_world("a")
    world.declare("t", "b<-a")
    remove(world, "s", 0)
    assert dict(world.store.read_graph().unresolved) == {"a": ("b",)}

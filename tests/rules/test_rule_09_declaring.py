"""Rule 9: declaring is atomic and idempotent (docs/rules.md, rule 9)."""

from cerebro.core.declaration.handlers import server_declared
from cerebro.shell import PERFORM
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.time import utc
from world.declarations import declared
from world.scenarios import a_world


def test_accepted_declaration_makes_new_generation() -> None:
    world = a_world("a")
    world.declare("t", "b<-a")
    assert world.store.read_graph().generation == 2
    assert set(world.store.read_graph()) == {"a", "b"}


def test_same_declaration_is_a_sign_of_life() -> None:
    world = a_world("a")
    world.now += 100
    world.declare("s", "a")
    assert world.store.read_graph().generation == 1
    assert world.store.servers()[0].at == world.now


def test_declaration_replaces_previous_one() -> None:
    world = a_world("a  b<-a")
    world.declare("s", "b", revision=1)
    assert set(world.store.read_graph()) == {"b"}


def test_lower_revision_does_not_change_graph() -> None:
    world = a_world("a")
    world.declare("s", "a  b", revision=2)
    world.declare("s", "a", revision=1)
    assert set(world.store.read_graph()) == {"a", "b"}


def test_declaration_with_cycle_keeps_last_good_graph() -> None:
    world = a_world("a  b<-a")
    world.declare("t", "x  c<-b")
    world.declare("s", "a<-c  b<-a", revision=1)
    assert world.problems == ["cycle"]
    assert world.store.read_graph()["a"].task.upstream_names == ()


def test_rejection_lists_every_problem() -> None:
    world = a_world("a  b")
    world.declare("t", "a  b  c")
    assert world.problems == ["owned_by_another", "owned_by_another"]
    assert "c" not in world.store.read_graph()


def test_declarations_closing_a_cycle_together_one_wins() -> None:
    world = a_world("")
    first, second = (
        Envelope(server_source(server), declared(server, tasks), server, utc(world.now))
        for server, tasks in (("p", "x<-y"), ("q", "y<-x"))
    )
    program = server_declared(first)
    effect = program.send(None)
    while type(effect).__name__ != "WriteHead":
        effect = program.send(PERFORM[type(effect)](world.driver.ports, effect))
    world.handle(second)
    try:
        while True:
            effect = program.send(PERFORM[type(effect)](world.driver.ports, effect))
    except StopIteration:
        pass
    assert set(world.store.read_graph()) == {"y"}
    assert world.problems == ["cycle"]

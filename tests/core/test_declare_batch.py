"""Declare several servers at once: the graph is exactly these servers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.declaration.decide import Rejected, SignOfLife, declare_batch
from cerebro.core.graph.versions import Head, version_of
from cordyna_core.contract.declaration import ServerDeclared
from core.decisions import accepted, codes, outcomes
from world.declarations import declared, graph_of


def test_batch_graph_is_exactly_its_servers() -> None:
    before = graph_of(declared("a", "x"), declared("gone", "y"))
    batch = declare_batch([declared("a", "x"), declared("b", "z")], before)
    assert batch.graph.head == Head(
        2, {"a": version_of(declared("a", "x")), "b": version_of(declared("b", "z"))}
    )
    assert outcomes(batch)["a"] == SignOfLife("same")
    assert accepted(outcomes(batch)["b"]) is batch.graph


def test_batch_without_change_makes_no_generation() -> None:
    before = graph_of(declared("a", "x"))
    assert declare_batch([declared("a", "x")], before).graph is before


def test_batch_without_a_server_makes_a_generation() -> None:
    batch = declare_batch([declared("a", "x")], graph_of(declared("a", "x"), declared("b", "y")))
    assert batch.graph.generation == 2
    assert list(batch.graph) == ["x"]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_batch_name_moves_in_any_order(order: tuple[str, str]) -> None:
    before = graph_of(declared("a", "x y"), declared("b", "z"))
    after = {"a": declared("a", "y"), "b": declared("b", "z x")}
    batch = declare_batch([after[server] for server in order], before)
    assert batch.graph.server_of("x") == "b"


def test_batch_two_servers_swap_tasks() -> None:
    batch = declare_batch(
        [declared("a", "y"), declared("b", "x")], graph_of(declared("a", "x"), declared("b", "y"))
    )
    assert (batch.graph.server_of("x"), batch.graph.server_of("y")) == ("b", "a")


def test_batch_owner_keeps_its_name() -> None:
    batch = declare_batch([declared("b", "x"), declared("a", "x y")], graph_of(declared("a", "x")))
    assert codes(outcomes(batch)["b"]) == ["owned_by_another"]
    assert batch.graph.server_of("x") == batch.graph.server_of("y") == "a"


def test_batch_new_name_goes_to_the_first() -> None:
    batch = declare_batch([declared("b", "x"), declared("a", "x")])
    assert batch.graph.server_of("x") == "b"
    assert codes(outcomes(batch)["a"]) == ["owned_by_another"]


def test_batch_cycle_rejects_its_last_server_only() -> None:
    batch = declare_batch([declared("a", "x<-y"), declared("b", "y<-x"), declared("c", "z<-x")])
    assert codes(outcomes(batch)["b"]) == ["cycle"]
    assert list(batch.graph) == ["x", "z"]


def test_batch_cycle_with_accepted_server_rejects_the_new() -> None:
    batch = declare_batch(
        [declared("b", "y<-x"), declared("a", "x<-y")], graph_of(declared("a", "x<-y"))
    )
    assert outcomes(batch)["a"] == SignOfLife("same")
    assert codes(outcomes(batch)["b"]) == ["cycle"]


def test_batch_rejected_server_keeps_its_tasks() -> None:
    before = graph_of(declared("a", "x"))
    batch = declare_batch([declared("a", "y<-y"), declared("b", "x")], before)
    assert codes(outcomes(batch)["a"]) == ["cycle"]
    assert codes(outcomes(batch)["b"]) == ["owned_by_another"]
    assert batch.graph is before


def test_batch_invalid_declaration_lists_its_conflicts() -> None:
    batch = declare_batch([declared("b", "x y<-y")], graph_of(declared("a", "z")))
    assert codes(outcomes(batch)["b"]) == ["cycle"]
    batch = declare_batch([declared("a", "x"), declared("b", "x y<-y")])
    assert codes(outcomes(batch)["b"]) == ["cycle", "owned_by_another"]


def test_batch_rejected_new_server_has_no_tasks() -> None:
    batch = declare_batch([declared("a", "x<-x"), declared("b", "y")], graph_of(declared("a")))
    assert batch.graph.declarations == {"a": declared("a"), "b": declared("b", "y")}


def test_batch_ignores_revisions() -> None:
    batch = declare_batch(
        [declared("a", "y", revision=1)], graph_of(declared("a", "x", revision=2))
    )
    assert list(batch.graph) == ["y"]


def test_batch_server_twice_with_other_tasks_is_rejected() -> None:
    batch = declare_batch([declared("a", "x"), declared("a", "y"), declared("a", "x")])
    first, second, third = (outcome for _, outcome in batch.outcomes)
    assert accepted(first) is batch.graph
    assert codes(second) == ["duplicate_server"]
    assert accepted(third) is batch.graph
    assert list(batch.graph) == ["x"]


@given(st.integers(0, 10_000))
def test_batch_of_any_declarations_has_a_sound_graph(seed: int) -> None:
    rng = random.Random(seed)

    def some(server: str) -> ServerDeclared:
        names = rng.sample("pqrstu", k=rng.randrange(4))
        return declared(
            server,
            " ".join(
                f"{name}<-{rng.choice('pqrstu')}" if rng.random() < 0.6 else name for name in names
            ),
        )

    before = declare_batch([some(server) for server in "abc"]).graph
    batch = declare_batch([some(server) for server in "bcd"], before)
    assert batch.graph.without_order == ()
    assert len(batch.graph) == sum(
        len(declaration.tasks) for declaration in batch.graph.declarations.values()
    )
    for declaration, outcome in batch.outcomes:
        accepted_now = batch.graph.declarations.get(declaration.server)
        assert accepted_now == (
            before.declarations.get(declaration.server)
            if isinstance(outcome, Rejected)
            else declaration
        )

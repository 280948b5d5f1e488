"""Declare again what is accepted: nothing that others declare rejects it (rules 9 and 18)."""

import random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.declaration import notices
from cerebro.core.declaration.decide import (
    Accepted,
    Rejected,
    SignOfLife,
    decide,
    declare_batch,
)
from cerebro.core.graph.graph import Graph
from cerebro.core.validation.compatibility import Compatibility
from cordyna_core.contract.declaration import ServerDeclared
from core.decisions import accepted, codes, outcomes
from world.declarations import declared, graph_of

SERVERS: Final = ("a", "b", "c")
NAMES: Final = ("p", "q", "r", "s", "t")
CONSUMERS: Final[tuple[list[str] | None, ...]] = (None, None, [], ["a"], ["b*"], ["*"], ["c", "a"])
TYPES: Final = ("integer", "string", "boolean")


def a_schema(rng: random.Random) -> dict[str, Any] | None:
    kind = rng.choice((None, *TYPES))
    return None if kind is None else {"type": kind}


def an_edge(rng: random.Random, upstream: str) -> Any:
    expects = a_schema(rng)
    if expects is None:
        return upstream
    return {"task": upstream, "expects": expects, "strict": rng.random() < 0.5}


def a_declaration(rng: random.Random, server: str) -> ServerDeclared:
    """A few tasks of few names, so servers need, close, take over and break each other's tasks."""
    tasks = [
        {
            "name": name,
            "upstream": [an_edge(rng, u) for u in rng.sample(NAMES, rng.choice((0, 1, 1, 2)))],
            "consumers": rng.choice(CONSUMERS),
            "deprecated": rng.choice((None, "use another")),
            "output_schema": a_schema(rng),
        }
        for name in rng.sample(NAMES, rng.randrange(4))
    ]
    return ServerDeclared.model_validate(
        {"server": server, "contract": "2", "revision": rng.randrange(3), "tasks": tasks}
    )


def declare_again(graph: Graph, server: str) -> ServerDeclared:
    before = graph.declarations[server]
    return before.model_copy(update={"revision": before.revision + 1})


@given(st.integers(0, 1_000_000))
def test_what_is_accepted_may_always_be_declared_again(seed: int) -> None:
    rng, graph = random.Random(seed), Graph.of({})
    for _ in range(15):
        outcome = decide(graph, a_declaration(rng, rng.choice(SERVERS)))
        graph = outcome.graph if isinstance(outcome, Accepted) else graph
        for server, before in graph.declarations.items():
            copy = ServerDeclared.model_validate_json(before.model_dump_json())
            assert decide(graph, copy) == SignOfLife("same")
            assert isinstance(decide(graph, declare_again(graph, server)), Accepted)
        batch = [declare_again(graph, server) for server in graph.declarations]
        rng.shuffle(batch)
        decided = outcomes(declare_batch(batch, graph))
        assert not any(isinstance(outcome, Rejected) for outcome in decided.values())


def test_closed_edge_with_another_condition_stays_accepted() -> None:
    """`consumers` says who may depend on a task, not how."""
    closed = declared("a", "x", x={"consumers": []})
    fresh = declared("b", "y", revision=1, y={"upstream": [{"task": "x", "within_s": 60}]})
    outcome = decide(graph_of(closed, declared("b", "y<-x")), fresh)
    assert accepted(outcome).upstream_of("y") == ("x",)


def test_closed_edge_stays_accepted_in_a_batch() -> None:
    """Both sides are declared at once: the edge is older than the leave that is withdrawn."""
    before = graph_of(declared("a", "x"), declared("b", "y<-x"))
    closed, more = declared("a", "x", x={"consumers": []}), declared("b", "y<-x  z")
    for batch in ([closed, more], [more, closed]):
        assert [type(o) for _, o in declare_batch(batch, before).outcomes] == [Accepted, Accepted]


def test_closed_edge_that_is_new_is_rejected_in_a_batch() -> None:
    closed, more = declared("a", "x", x={"consumers": []}), declared("b", "y  z<-x")
    batch = declare_batch([closed, more], graph_of(declared("a", "x"), declared("b", "y")))
    assert codes(outcomes(batch)["b"]) == ["not_a_consumer"]


def a_strict(revision: int = 0, *, strict: bool = True, **fields: Any) -> ServerDeclared:
    edge = {"task": "x", "expects": {"type": "integer"}, "strict": strict}
    return declared("b", "y", revision=revision, y={"upstream": [edge], **fields})


def test_strict_edge_is_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer cerebro tells a break that the one before did not see: what was accepted, stays.

    1. Both sides may be declared again. 2. Who changes the type of either side is judged.
    """
    produced = {"output_schema": {"type": "integer"}}
    graph = graph_of(declared("a", "x", x=produced), a_strict())
    verdict = Compatibility("breaks", ("told by a newer version",))
    monkeypatch.setattr(notices, "compare_texts", lambda *_: verdict)

    assert isinstance(decide(graph, a_strict(1, retries=2)), Accepted)
    assert isinstance(decide(graph, declared("a", "x", revision=1, x=produced)), Accepted)

    other = {"output_schema": {"type": "integer", "minimum": 0}}
    assert codes(decide(graph, declared("a", "x", revision=1, x=other))) == ["breaks_consumer"]
    loose = graph_of(declared("a", "x", x=produced), a_strict(strict=False))
    assert codes(decide(loose, a_strict(1))) == ["breaks_consumer"]

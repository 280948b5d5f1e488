"""Declare: what becomes of a declaration. Accepted whole, rejected whole with every problem, or only a sign of life.

Law: the last good graph stands until a better one is accepted, as one head that names the version of every server. The same
content again is a sign of life, and so is a lower revision: a rolling deploy must not flip the graph back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cerebro.core.declaration.conflicts import conflicts
from cerebro.core.graph.graph import Graph, Head, version_of
from cerebro.core.validation.problems import at_most, quoted
from cerebro.core.validation.validate_declaration import validate_declaration
from cordyna_core.contract.base import Problem
from cordyna_core.contract.declaration import ServerDeclared


@dataclass(frozen=True, slots=True)
class Accepted:
    """The graph with this declaration. Put it under `version` first, then write `head` if the head is still the old graph's."""

    declared: ServerDeclared
    version: str
    graph: Graph

    @property
    def head(self) -> Head:
        return self.graph.head


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """Nothing new: the server is there."""

    because: Literal["same", "older_revision"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused whole; what was accepted before stands."""

    problems: tuple[Problem, ...]


Outcome = Accepted | SignOfLife | Rejected


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of declarations that were decided as one: the graph with all that were accepted, and each one's outcome."""

    graph: Graph
    outcomes: tuple[tuple[ServerDeclared, Outcome], ...]


def decide(graph: Graph, declared: ServerDeclared) -> Outcome:
    """What becomes of one declaration, given what is accepted."""
    server, version = declared.server, version_of(declared)
    standing = graph.declarations.get(server)
    if standing is not None:
        if version == graph.version_of_server(server):
            return SignOfLife("same")
        if declared.revision < standing.revision:
            # An instance that does not know its revision may answer a roll call.
            is_same = declared.tasks == standing.tasks
            return SignOfLife("same" if is_same else "older_revision")
    others = {name: other for name, other in graph.declarations.items() if name != server}
    problems = [
        *validate_declaration(declared),
        *conflicts({server: declared}, others, graph).get(server, ()),
    ]
    if problems:
        return Rejected(at_most(problems))
    return Accepted(declared, version, graph.with_servers({**others, server: declared}))


def declare_batch(declarations: Sequence[ServerDeclared], before: Graph | None = None) -> Batch:
    """Decide declarations as one: the graph is exactly these servers, and what one releases another may claim.

    Revisions do not count: the batch is what there is now. A server that is rejected keeps what it had in `before`.
    """
    before = Graph.of({}) if before is None else before
    batch: dict[str, ServerDeclared] = {}
    for declared in declarations:
        batch.setdefault(declared.server, declared)
    kept = {
        server: before.declarations[server] for server in batch if server in before.declarations
    }
    fresh = {
        server: each
        for server, each in batch.items()
        if server not in kept or version_of(each) != version_of(kept[server])
    }
    rejected = _rejected(fresh, kept, before)
    joining = {server: each for server, each in fresh.items() if server not in rejected}
    is_new = bool(joining) or kept.keys() != before.declarations.keys()
    graph = before.with_servers({**kept, **joining}) if is_new else before

    def outcome(declared: ServerDeclared) -> Outcome:
        server = declared.server
        if version_of(declared) != version_of(batch[server]):
            return Rejected((_declared_twice(server),))
        if server in rejected:
            return Rejected(at_most(rejected[server]))
        return (
            Accepted(declared, version_of(declared), graph)
            if server in joining
            else SignOfLife("same")
        )

    return Batch(graph, tuple((declared, outcome(declared)) for declared in declarations))


def _rejected(
    fresh: Mapping[str, ServerDeclared], kept: Mapping[str, ServerDeclared], before: Graph
) -> dict[str, list[Problem]]:
    unchanged = {server: each for server, each in kept.items() if server not in fresh}
    faulty = {
        server: faults for server, each in fresh.items() if (faults := validate_declaration(each))
    }
    found = conflicts(fresh, unchanged, before) if faulty else {}
    rejected = {server: [*faults, *found.get(server, ())] for server, faults in faulty.items()}
    while True:
        standing = {
            server: each
            for server, each in kept.items()
            if server in unchanged or server in rejected
        }
        found = conflicts(
            {server: each for server, each in fresh.items() if server not in rejected},
            standing,
            before,
        )
        if not found:
            return rejected
        # The last one that has problems steps back; that may be all that the others lacked.
        last = [server for server in fresh if server in found][-1]
        rejected[last] = found[last]


def _declared_twice(server: str) -> Problem:
    text = f"server {quoted(server)} is declared twice in one batch, with different tasks: give one of them another name"
    return Problem(code="duplicate_server", message=text)

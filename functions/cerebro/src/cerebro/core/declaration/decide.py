"""Decide: whether a declaration is accepted whole, rejected whole, or only a sign of life.

Invariant: the last good graph stays until a new one is accepted, as one head that names the version
of every server. The same content is a sign of life, and so is a lower revision: a rolling
deployment must not turn the graph back (docs/rules.md, rule 9).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cerebro.core.declaration.conflicts import Declarations, join
from cerebro.core.graph.graph import Graph
from cerebro.core.graph.versions import Head, content_of, version_of, version_of_content
from cerebro.core.validation.problems import at_most, quoted
from cerebro.core.validation.validate_declaration import validate_declaration
from cordyna_core.contract.base import Problem
from cordyna_core.contract.declaration import ServerDeclared


@dataclass(frozen=True, slots=True)
class Accepted:
    """The graph with this declaration.

    Store the declaration under `version` first, then write `head` if the old graph's is stored.
    """

    declared: ServerDeclared
    version: str
    graph: Graph

    @property
    def head(self) -> Head:
        return self.graph.head


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """The declaration changes nothing, and proves that the server runs."""

    because: Literal["same", "older_revision"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The declaration is rejected whole; what was accepted before stays."""

    problems: tuple[Problem, ...]


Outcome = Accepted | SignOfLife | Rejected


@dataclass(frozen=True, slots=True)
class Batch:
    """Declarations decided together: the graph with the accepted ones, and each outcome."""

    graph: Graph
    outcomes: tuple[tuple[ServerDeclared, Outcome], ...]


def decide(graph: Graph, declared: ServerDeclared) -> Outcome:
    """Decide one declaration, given what is accepted."""
    content = content_of(declared)
    server, version = declared.server, version_of_content(content)
    accepted = graph.declarations.get(server)
    if accepted is not None:
        if version == graph.version_of_server(server):
            return SignOfLife("same")
        if declared.revision < accepted.revision:
            # An instance that does not know its revision may answer a request to redeclare.
            is_same = declared.tasks == accepted.tasks
            return SignOfLife("same" if is_same else "older_revision")
    others = {name: other for name, other in graph.declarations.items() if name != server}
    joined = join({server: declared}, others, graph, {server: version})
    problems = [*validate_declaration(declared, content), *joined.problems.get(server, ())]
    if problems:
        return Rejected(at_most(problems))
    return Accepted(declared, version, joined.graph)


def declare_batch(declarations: Sequence[ServerDeclared], before: Graph | None = None) -> Batch:
    """Decide declarations together: the graph is exactly these servers afterwards.

    What one of them releases, another may claim. Revisions do not count. A server that is rejected
    keeps what it had in `before`.
    """
    before = Graph.of({}) if before is None else before
    batch: dict[str, ServerDeclared] = {}
    for declared in declarations:
        batch.setdefault(declared.server, declared)
    versions = {server: version_of(declared) for server, declared in batch.items()}
    kept = {
        server: before.declarations[server] for server in batch if server in before.declarations
    }
    new = {
        server: declared
        for server, declared in batch.items()
        if server not in kept or versions[server] != before.version_of_server(server)
    }
    rejected, joined = _joined(new, kept, before, versions)
    is_new = new.keys() != rejected.keys() or kept.keys() != before.declarations.keys()
    graph = joined if is_new else before

    def outcome(declared: ServerDeclared) -> Outcome:
        server, version = declared.server, versions[declared.server]
        if declared is not batch[server] and version_of(declared) != version:
            return Rejected((_declared_twice(server),))
        if server in rejected:
            return Rejected(at_most(rejected[server]))
        return Accepted(declared, version, graph) if server in new else SignOfLife("same")

    return Batch(graph, tuple((declared, outcome(declared)) for declared in declarations))


def _joined(
    new: Declarations, kept: Declarations, before: Graph, versions: Mapping[str, str]
) -> tuple[Mapping[str, Sequence[Problem]], Graph]:
    """Return the problems of each rejected server, and the graph with the others."""
    unchanged = {server: declared for server, declared in kept.items() if server not in new}
    faults = {
        server: own
        for server, declared in new.items()
        if (own := validate_declaration(declared, content_of(declared)))
    }
    between = join(new, unchanged, before, versions).problems if faults else {}
    rejected = {server: [*own, *between.get(server, ())] for server, own in faults.items()}
    while True:
        accepted = {
            server: declared
            for server, declared in kept.items()
            if server in unchanged or server in rejected
        }
        candidates = {server: own for server, own in new.items() if server not in rejected}
        graph, between = join(candidates, accepted, before, versions)
        if not between:
            return rejected, graph
        # The last one with problems is rejected; the others may have none without it.
        last = [server for server in new if server in between][-1]
        rejected[last] = between[last]


def _declared_twice(server: str) -> Problem:
    text = (
        f"server {quoted(server)} is declared twice in one batch, with different tasks: "
        "give one of them another name"
    )
    return Problem(code="duplicate_server", message=text)

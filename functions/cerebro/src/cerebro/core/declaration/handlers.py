"""Declaration handlers: what cerebro does when a server declares itself, or reports its state.

Invariant: the graph's head is written as one item, and only if it is still the one that was read;
the handler that loses reads and decides again. A rejection lists every problem, and what was
accepted before stays (docs/rules.md, rule 9).
"""

from collections.abc import Sequence

from cerebro.core.declaration.decide import (
    Accepted,
    Outcome,
    Rejected,
    SignOfLife,
    decide,
    declare_batch,
)
from cerebro.core.declaration.graph_changes import graph_changes, publish_pending_change
from cerebro.core.declaration.notices import notices_of_server
from cerebro.core.effects import (
    ApplyCrons,
    NoteServer,
    Now,
    Publish,
    ReadGraph,
    WriteDeclaration,
    WriteGraphChange,
    WriteHead,
)
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.effects import SendIncidentNotice
from cerebro.core.incidents.notices import ServerNotice
from cerebro.core.messages import invocation_rejected
from cerebro.core.validation.parse_declaration import parse_declaration
from cordyna_core.contract.base import Message, Problem, meta_at
from cordyna_core.contract.commands import RemoveServer
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope, RawEnvelope
from cordyna_core.contract.ids import derived_id, is_name, server_of
from cordyna_core.contract.incidents import GraphChanged, ServerKind
from cordyna_core.contract.lenient_json import with_whole_characters
from cordyna_core.contract.registry import COMMANDS_TO_CEREBRO, is_misspelt_by_client
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationIgnored,
    DeclarationRejected,
    ServerRemoved,
    ServerStateChanged,
)


async def server_declared(envelope: Envelope) -> None:
    """Decide one server's declaration on the graph as it is now, and answer it."""
    declared = envelope.message
    assert isinstance(declared, ServerDeclared)
    now = await Now()
    await NoteServer(declared.server, None, now)
    while True:
        graph = await ReadGraph()
        await publish_pending_change(graph, declared.server)
        changes: tuple[GraphChanged, ...] = ()
        outcome = decide(graph, declared)
        if f"rejected_declaration:{declared.server}" in graph.watched and _ends_rejection(
            declared, outcome
        ):
            # Before it is accepted: a repeated answer to DescribeServer is only a sign of life.
            await _notify_recovered("rejected_declaration", declared.server, envelope)
        if not isinstance(outcome, Accepted):
            break
        await WriteDeclaration(outcome.version, declared)
        changes = tuple(graph_changes(graph, outcome.graph, cause=envelope.id, now=now))
        await _store_changes(outcome.graph, changes)
        if await WriteHead(outcome.head, graph.head):
            graph = outcome.graph
            break
    if f"unresponsive:{declared.server}" in graph.watched:
        await _notify_recovered("unresponsive", declared.server, envelope)
    # Even if nothing is new: the first delivery may have crashed before the crons were made.
    await ApplyCrons(graph.generation)
    now = await Now()
    await Publish((*changes, _answer(envelope, declared, outcome, graph, now)))
    await _forget_changes(graph, changes)


async def declare_exactly(
    envelopes: Sequence[Envelope], kept: Sequence[ServerDeclared] = ()
) -> None:
    """Decide declarations together, and answer them: the graph is exactly these servers then.

    `kept`: accepted declarations of other servers, which stay part of the graph.
    """
    declarations = [
        envelope.message for envelope in envelopes if isinstance(envelope.message, ServerDeclared)
    ]
    for declared in declarations:
        now = await Now()
        await NoteServer(declared.server, "ready", now)
    while True:
        graph = await ReadGraph()
        batch = declare_batch([*declarations, *kept], graph)
        for _, outcome in batch.outcomes:
            if isinstance(outcome, Accepted):
                await WriteDeclaration(outcome.version, outcome.declared)
        if batch.graph is graph or (await WriteHead(batch.graph.head, graph.head)):
            break
    await ApplyCrons(batch.graph.generation)
    now = await Now()
    # What is kept was not declared now, and is not answered.
    answers = zip(envelopes, batch.outcomes[: len(envelopes)], strict=True)
    cause = envelopes[0].id if envelopes else ""
    changes = graph_changes(graph, batch.graph, cause=cause, now=now)
    await Publish(
        (
            *changes,
            *(
                _answer(envelope, declared, outcome, batch.graph, now)
                for envelope, (declared, outcome) in answers
            ),
        )
    )


async def remove_server(envelope: Envelope) -> None:
    """Remove a server's declaration; an accepted revision above that of the removal stays.

    Runs in flight keep their plans: their commands to this server expire by its clocks.
    """
    command = envelope.message
    assert isinstance(command, RemoveServer)
    while True:
        graph = await ReadGraph()
        await publish_pending_change(graph, command.server)
        changes: tuple[GraphChanged, ...] = ()
        accepted = graph.declarations.get(command.server)
        if accepted is None or accepted.revision > command.revision:
            break
        others = {
            name: declaration
            for name, declaration in graph.declarations.items()
            if declaration is not accepted
        }
        smaller = graph.with_servers(others)
        now = await Now()
        changes = tuple(graph_changes(graph, smaller, cause=envelope.id, now=now))
        await _store_changes(smaller, changes)
        if await WriteHead(smaller.head, graph.head):
            graph = smaller
            break
    # Even when nothing changed: the first delivery may have crashed before the crons were deleted.
    await ApplyCrons(graph.generation)
    now = await Now()
    await Publish((*changes, _answer_to_removal(envelope, command, graph, now)))
    await _forget_changes(graph, changes)


async def _store_changes(after: Graph, changes: Sequence[GraphChanged]) -> None:
    """Store what the head that is written next changes, so that a crash does not lose it."""
    for change in changes:
        version = after.head.servers.get(change.server, "")
        await WriteGraphChange(change.server, version, change)


async def _forget_changes(graph: Graph, changes: Sequence[GraphChanged]) -> None:
    for change in changes:
        await WriteGraphChange(change.server, graph.head.servers.get(change.server, ""), None)


async def server_state_changed(envelope: Envelope) -> None:
    """Record the state that a server reports. It changes no task's state by itself."""
    changed = envelope.message
    assert isinstance(changed, ServerStateChanged)
    now = await Now()
    # A server whose clock is ahead would never be shown as unresponsive.
    await NoteServer(changed.server, changed.state, min(now, envelope.sent_at.timestamp()))
    graph = await ReadGraph()
    if changed.state == "ready" and f"unresponsive:{changed.server}" in graph.watched:
        await _notify_recovered("unresponsive", changed.server, envelope)


def _ends_rejection(declared: ServerDeclared, outcome: Outcome) -> bool:
    """Return whether this replaces a rejected declaration, or takes it back.

    An answer to DescribeServer, which names its cause, may be of an older instance that still runs.
    """
    is_answer = declared.meta is not None and declared.meta.cause is not None
    return isinstance(outcome, Accepted) or (outcome == SignOfLife("same") and not is_answer)


async def _notify_recovered(kind: ServerKind, server: str, envelope: Envelope) -> None:
    """Close the incident of a server, if it was opened before this event was sent."""
    at = envelope.sent_at.timestamp()
    await SendIncidentNotice(ServerNotice(server, kind, at, envelope.id))


async def refuse_malformed(raw: RawEnvelope, problems: Sequence[Problem]) -> None:
    """Answer the sender of an event that is not of the contract: a refusal is never silent."""
    now = await Now()
    server = server_of(raw.source)
    if raw.detail_type == ServerDeclared.__name__ and server is not None:
        parsed = parse_declaration(with_whole_characters(raw.detail))
        # An empty detail is often one that is no object: then nothing is known of its fields.
        faults = problems if isinstance(parsed, ServerDeclared) or not raw.detail else parsed
        if is_name(server):
            await NoteServer(server, None, now)
        await Publish((_rejected(raw.id, server, faults, now),))
    elif raw.detail_type in COMMANDS_TO_CEREBRO or is_misspelt_by_client(
        raw.source, raw.detail_type
    ):
        subjects = (raw.detail.get(field) for field in ("task", "run_id", "server", "incident"))
        subject = next((value for value in subjects if isinstance(value, str)), "")
        named = with_whole_characters(subject[:256])
        await Publish((invocation_rejected(raw.id, named, problems, now=now),))


def _answer(
    envelope: Envelope, declared: ServerDeclared, outcome: Outcome, graph: Graph, now: float
) -> Message:
    if isinstance(outcome, Rejected):
        rejected = _rejected(envelope.id, declared.server, outcome.problems, now)
        return rejected.model_copy(update={"revision": declared.revision})
    if outcome == SignOfLife("older_revision"):
        return DeclarationIgnored(
            meta=meta_at(now, derived_id("DeclarationIgnored", envelope.id), envelope.id),
            server=declared.server,
            revision=declared.revision,
            accepted_revision=graph.declarations[declared.server].revision,
            generation=graph.generation,
        )
    meta = meta_at(now, derived_id("DeclarationAccepted", envelope.id), envelope.id)
    return DeclarationAccepted(
        meta=meta,
        server=declared.server,
        generation=graph.generation,
        notices=notices_of_server(graph, declared.server),
    )


def _answer_to_removal(
    envelope: Envelope, command: RemoveServer, graph: Graph, now: float
) -> Message:
    accepted = graph.declarations.get(command.server)
    if accepted is None:
        meta = meta_at(now, derived_id("ServerRemoved", envelope.id), envelope.id)
        return ServerRemoved(meta=meta, server=command.server, generation=graph.generation)
    return DeclarationIgnored(
        meta=meta_at(now, derived_id("DeclarationIgnored", envelope.id), envelope.id),
        server=command.server,
        revision=command.revision,
        accepted_revision=accepted.revision,
        generation=graph.generation,
    )


def _rejected(
    event_id: str, server: str, problems: Sequence[Problem], now: float
) -> DeclarationRejected:
    meta = meta_at(now, derived_id("DeclarationRejected", event_id), event_id)
    return DeclarationRejected(meta=meta, server=server, problems=list(problems))

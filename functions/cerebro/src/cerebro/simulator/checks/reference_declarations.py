"""Reference of declarations: what a declaration leads to, from what is accepted, by names.

The rules 9, 10, 18 and 21 of docs/rules.md are written here a second time, over dictionaries of
tasks: every problem of a declaration with its place, what the head of the graph becomes, and the
answer. What others learn of it is in `reference_graph_changes`.

Invariant: nothing here calls a program of the core, nor asks a graph for more than what it holds.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from cerebro.core.graph.graph import Graph
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.reference_graph_changes import check_changes, check_notices
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.declared_tasks import (
    Tasks,
    closure_of,
    may_use,
    owned_by,
    required_of,
    tasks_of,
)
from cerebro.simulator.parts.output_types import suits
from cordyna_core.contract.base import Message, Problem
from cordyna_core.contract.commands import RemoveServer
from cordyna_core.contract.declaration import ServerDeclared, Upstream
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationIgnored,
    DeclarationRejected,
    ServerRemoved,
)

Finding = tuple[str, tuple[str, ...]]
"""(code, path) of a problem."""


def check_declaration(handled: HandledInput, envelope: Envelope) -> None:
    """Check what a declaration, or a removal, led to. Raises Unexpected."""
    message = envelope.message
    if handled.graph is None:
        return
    if isinstance(message, ServerDeclared):
        _check_declared(handled, message, handled.graph, envelope.id)
    elif isinstance(message, RemoveServer):
        _check_removed(handled, message, handled.graph, envelope.id)
    else:
        return
    # Even if nothing is new: the first delivery may have crashed before the crons were made.
    later = handled.graph_after
    generation = later.generation if later else handled.graph.generation + handled.has_written_head
    if handled.crons_applied != generation:
        raise Unexpected(f"the crons of generation {handled.crons_applied} were made")


def _check_declared(
    handled: HandledInput, declared: ServerDeclared, graph: Graph, event_id: str
) -> None:
    """An older revision changes nothing; any other declaration is in the graph, or rejected."""
    accepted = graph.declarations.get(declared.server)
    is_older = accepted is not None and declared.revision < accepted.revision
    is_same = accepted is not None and declared.tasks == accepted.tasks
    is_unchanged = is_same and accepted is not None and declared.revision == accepted.revision
    before = tasks_of(graph.declarations)
    others = {name: own for name, own in before.items() if own[0] != declared.server}
    answer = _answer(handled, event_id)
    if isinstance(answer, DeclarationIgnored) != (is_older and not is_same):
        raise Unexpected(f"revision {declared.revision} was answered by {type(answer).__name__}")
    found = [] if is_older or is_unchanged else list(_problems(declared, before, others))
    if isinstance(answer, DeclarationRejected):
        _check_problems(answer, found, declared, {**others, **owned_by(declared, others)})
    elif found:
        raise Unexpected(f"the declaration of {declared.server} was not rejected for {found}")
    is_new = not (is_older or is_unchanged or found)
    if handled.has_written_head != is_new:
        raise Unexpected(f"revision {declared.revision} of {declared.server} was decided wrongly")
    after = {**others, **owned_by(declared, others)} if is_new else before
    if isinstance(answer, DeclarationAccepted):
        later = handled.graph_after
        check_notices(answer, after if later is None else tasks_of(later.declarations))
    if is_new:
        check_changes(handled, declared.server, before, after)


def _check_removed(
    handled: HandledInput, command: RemoveServer, graph: Graph, event_id: str
) -> None:
    """A server is gone afterwards, unless a higher revision of it is accepted."""
    accepted = graph.declarations.get(command.server)
    is_newer = accepted is not None and accepted.revision > command.revision
    answer = _answer(handled, event_id)
    if isinstance(answer, DeclarationIgnored) != is_newer:
        raise Unexpected(f"the removal of {command.server} led to {type(answer).__name__}")
    is_removed = accepted is not None and not is_newer
    if handled.has_written_head != is_removed:
        raise Unexpected(f"the removal of {command.server} was decided wrongly")
    if is_removed:
        before = tasks_of(graph.declarations)
        after = {name: own for name, own in before.items() if own[0] != command.server}
        check_changes(handled, command.server, before, after)


def _answer(handled: HandledInput, event_id: str) -> Message:
    kinds = DeclarationAccepted | DeclarationIgnored | DeclarationRejected | ServerRemoved
    answers = [
        message
        for message in handled.published
        if isinstance(message, kinds) and message.meta and message.meta.cause == event_id
    ]
    if len(answers) != 1:
        raise Unexpected(f"a declaration had {len(answers)} answers")
    return answers[0]


# --- problems -------------------------------------------------------------------------------------
def _check_problems(
    answer: DeclarationRejected, found: list[Finding], declared: ServerDeclared, after: Tasks
) -> None:
    listed = [(problem.code, _place(problem)) for problem in answer.problems]
    cycles = [path for code, path in listed if code == "cycle"]
    rest = [finding for finding in listed if finding[0] != "cycle"]
    expected = [finding for finding in found if finding[0] != "cycle"]
    if Counter(rest) != Counter(expected) or bool(cycles) != (("cycle", ()) in found):
        raise Unexpected(f"a declaration was rejected for {listed}, and has {found}")
    needing_themselves = {
        (task.name, task.name) for task in declared.tasks if task.name in task.upstream_names
    }
    for path in cycles:
        is_cycle = path[0] == path[-1] and all(
            needed in after[name][1].upstream_names for name, needed in pairwise(path)
        )
        if not is_cycle and path not in needing_themselves:
            raise Unexpected(f"{path} is not a cycle")


def _place(problem: Problem) -> tuple[str, ...]:
    """Return the path of a problem; which of several tasks requires a parameter is open."""
    path = tuple(problem.path or ())
    return path[:1] if problem.code == "cron_needs_params" else path


def _problems(declared: ServerDeclared, before: Tasks, others: Tasks) -> Iterator[Finding]:
    own = owned_by(declared, others)
    after = {**others, **own}
    names = Counter(task.name for task in declared.tasks)
    yield from (("duplicate_task", (name,)) for name, times in names.items() if times > 1)
    for task in declared.tasks:
        if task.name in others:
            yield "owned_by_another", (task.name,)
        for name, times in Counter(task.upstream_names).items():
            if times > 1:
                yield "duplicate_upstream", tuple(dict.fromkeys((task.name, name)))
    yield from _crons_without_params(declared)
    yield from _closed_edges(own, before, after)
    for name, edge in _typed_edges(after, own):
        is_kept = _is_same_type(before, after, name, edge)
        if edge.strict and not is_kept and suits(after[edge.task][1], edge) == "breaks":
            yield "breaks_consumer", (name, edge.task)
    needs_itself = any(task.name in task.upstream_names for task in declared.tasks)
    if needs_itself or any(_needs_itself(name, after) for name in own):
        yield "cycle", ()


def _closed_edges(own: Tasks, before: Tasks, after: Tasks) -> Iterator[Finding]:
    """Yield new edges where the owner of the upstream names other consumers."""
    for name, (server, task) in own.items():
        is_known = name in before and before[name][0] == server
        known = before[name][1].upstream_names if is_known else ()
        for upstream in task.upstream_names:
            is_new = upstream not in known and upstream in after
            if is_new and not may_use(server, after[upstream]):
                yield "not_a_consumer", (name, upstream)


def _crons_without_params(declared: ServerDeclared) -> Iterator[Finding]:
    """A tick gives no parameters. A task that is declared twice needs what either needs."""
    requiring = {task.name for task in declared.tasks if required_of(task)}
    for task in declared.tasks:
        reached = [task.name]
        for name in reached:
            copies = [copy for copy in declared.tasks if copy.name == name]
            needed = (upstream for copy in copies for upstream in copy.upstream_names)
            reached += [upstream for upstream in dict.fromkeys(needed) if upstream not in reached]
        if task.cron and requiring.intersection(reached):
            yield "cron_needs_params", (task.name,)


def _needs_itself(name: str, tasks: Tasks) -> bool:
    plain = {other: task for other, (_, task) in tasks.items()}
    return any(name in closure_of(needed, plain) for needed in plain[name].upstream_names)


def _typed_edges(tasks: Tasks, own: Tasks) -> Iterator[tuple[str, Upstream]]:
    """Yield every edge with an expected type from or to `own` tasks, to what is declared."""
    for name, (_, task) in tasks.items():
        for upstream, edge in task.expecting.items():
            if upstream in tasks and (name in own or upstream in own):
                yield name, edge


def _is_same_type(before: Tasks, after: Tasks, name: str, edge: Upstream) -> bool:
    """Return whether both sides of an edge were accepted as they are."""
    if name not in before or edge.task not in before or before[name][0] != after[name][0]:
        return False
    accepted = [other for other in before[name][1].upstream if other == edge]
    schemas = [tasks[edge.task][1].output_schema for tasks in (before, after)]
    return bool(accepted) and schemas[0] == schemas[1]

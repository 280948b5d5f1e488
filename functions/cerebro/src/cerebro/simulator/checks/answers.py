"""Answers: every command that cerebro handled was answered, and as the declarations demand.

The reasons to refuse an invocation are derived from the declarations that its program read
(docs/rules.md, rules 9, 11 and 18), those of the other commands from the run before and after.

Invariant: nothing here calls a program of the core.
"""

import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from cerebro.core.graph.graph import Graph
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.param_values import fits
from cerebro.simulator.parts.secrets import REFERENCES
from cerebro.simulator.parts.sizes import in_use
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, derived_id, server_of
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationIgnored,
    DeclarationRejected,
    InvocationRejected,
    RunState,
    RunStateChanged,
)

_PARAMS_BYTES_MAX: Final = 128 * 1024
_COMMANDS_MAX: Final = 1000

_COMMANDS = InvokeTask | CancelRun | RetryRun
_ANSWERS = (
    RunStateChanged
    | InvocationRejected
    | DeclarationAccepted
    | DeclarationIgnored
    | DeclarationRejected
)


def answer_ids(handled: HandledInput) -> list[str]:
    """Return the ids of the answers to a command about a run; none for any other message."""
    envelope = handled.message
    if not isinstance(envelope, Envelope) or not isinstance(envelope.message, _COMMANDS):
        return []
    return [
        message.meta.id
        for message in handled.published
        if _is_answer(message, envelope.id) and message.meta is not None and message.meta.id
    ]


def check_answer(
    handled: HandledInput, before: Run | None, after: Run | None, snapshot: RunSnapshot | None
) -> None:
    """Check the answer to a message that was handled to its end.

    `before` and `after`: the run that it is about, when its handler began and ended.

    Raises Unexpected.
    """
    envelope = handled.message
    if not isinstance(envelope, Envelope):
        return
    command = envelope.message
    if not isinstance(command, _COMMANDS | ServerDeclared):
        return
    answers = [message for message in handled.published if _is_answer(message, envelope.id)]
    if not answers:
        raise Unexpected(f"{type(command).__name__} {envelope.id} was not answered")
    codes = {
        problem.code
        for answer in answers
        if isinstance(answer, InvocationRejected)
        for problem in answer.problems
    }
    if _is_unknown(command, before, codes) or _is_foreign(command, envelope, snapshot, codes):
        return
    if isinstance(command, InvokeTask):
        # Another delivery may have created the run meanwhile, from another graph.
        found = None if handled.has_created_run else handled.runs_read.get(handled.run_id)
        _check_invocation(command, envelope, handled, before or found, codes)
    elif isinstance(command, CancelRun) and after is not None:
        _check_state_named(handled, envelope.id, answers)
        _check_cancel(after, codes, handled.runs_read.get(command.run_id))
    elif isinstance(command, RetryRun) and before is not None and after is not None:
        if before.status == "cancelled" and codes != {"run_cancelled"}:
            raise Unexpected(f"a retry of a cancelled run was answered with {codes}")
        _check_state_named(handled, envelope.id, answers)
        _check_retry(command, envelope, after, codes, handled.runs_read.get(command.run_id))
        _check_moved(handled, answers, snapshot)


def _check_state_named(handled: HandledInput, event_id: str, answers: list[Message]) -> None:
    """A command's own answer names a state of the run that its program has seen."""
    own_id = derived_id("answer", handled.run_id, event_id)
    seen = {_state_of(run) for run in handled.runs_seen if run.id == handled.run_id}
    for answer in answers:
        is_own = answer.meta is not None and answer.meta.id == own_id
        if is_own and isinstance(answer, RunStateChanged) and answer.state not in seen:
            raise Unexpected(f"a command was answered with {answer.state}, but it is {seen}")


def _state_of(run: Run) -> RunState:
    if run.is_over:
        return "completed" if run.status == "completed" else "error"
    return "failing" if run.failing else "running"


def _is_unknown(command: Message, before: Run | None, codes: set[str]) -> bool:
    """Return whether a command names a run that did not exist; it may have been created since."""
    is_unknown = isinstance(command, CancelRun | RetryRun) and codes == {"unknown_run"}
    if is_unknown and before is not None:
        raise Unexpected("a run that exists was answered as unknown")
    return is_unknown


def _is_foreign(
    command: Message, envelope: Envelope, snapshot: RunSnapshot | None, codes: set[str]
) -> bool:
    """Return whether a server commands a run whose target is another's. Then it must be refused."""
    if snapshot is None or not isinstance(command, CancelRun | RetryRun):
        return False
    owner = snapshot.plan.tasks[snapshot.plan.target].server
    is_foreign = server_of(envelope.source) not in (None, owner)
    if is_foreign != ("not_your_task" in codes):
        raise Unexpected(f"a command of {envelope.source} was answered with {codes}")
    return is_foreign


def _is_answer(message: Message, event_id: str) -> bool:
    if not isinstance(message, _ANSWERS):
        return False
    is_caused = message.meta is not None and message.meta.cause == event_id
    return is_caused or vars(message).get("event_id") == event_id


def _check_invocation(
    command: InvokeTask,
    envelope: Envelope,
    handled: HandledInput,
    before: Run | None,
    codes: set[str],
) -> None:
    if before is not None:
        expected = {"key_reused"} if before.params != command.params else set()
        if codes != expected:
            raise Unexpected(
                f"an invocation of a known run was answered with {codes or 'no'} problems"
            )
        return
    if handled.graph is None:
        raise Unexpected("an invocation was answered without reading the graph")
    expected = set(_problem_codes(handled.graph, command, envelope.source))
    if codes - {"key_reused"} != expected:
        raise Unexpected(f"an invocation was answered with {sorted(codes)}, not {sorted(expected)}")


def _problem_codes(graph: Graph, command: InvokeTask, source: str) -> Iterator[str]:
    owned = {
        task.name: (server, task)
        for server, declared in graph.declarations.items()
        for task in declared.tasks
    }
    if command.task not in owned:
        yield "unknown_task"
        return
    names, frontier = {command.task}, [command.task]
    missing = False
    while frontier:
        for upstream in owned[frontier.pop()][1].upstream_names:
            missing = missing or upstream not in owned
            if upstream in owned and upstream not in names:
                names.add(upstream)
                frontier.append(upstream)
    if missing:
        yield "unresolved_upstream"
        return
    closed = [
        upstream
        for name in names
        for upstream in owned[name][1].upstream_names
        if not _is_open(owned[upstream][1].consumers, owned[name][0], owned[upstream][0])
    ]
    if closed:
        yield "not_a_consumer"
        return
    owner, target = owned[command.task]
    caller = _invoker(source)
    if caller is not None and not _is_open(target.invokers, caller, owner):
        yield "not_an_invoker"
        return
    text = json.dumps([command.params, command.labels], ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > min(in_use().params_bytes, _PARAMS_BYTES_MAX):
        yield "params_too_large"
        return
    yield from _param_codes(command, [owned[name][1] for name in sorted(names)])


def _invoker(source: str) -> str | None:
    """Name a server or a named client as an owner lists it; None for whom every task is open."""
    is_named_client = source.startswith(CLIENT + ".")
    return source.removeprefix("cordyna.") if is_named_client else server_of(source)


def _is_open(allowed: Sequence[str] | None, server: str, owner: str) -> bool:
    if allowed is None or server == owner:
        return True
    return any(fnmatchcase(server, entry) for entry in allowed)


def _param_codes(command: InvokeTask, tasks: list[TaskDeclaration]) -> Iterator[str]:
    """Yield what is wrong with the parameters: of drawn schemas, and of those of own servers."""
    if any(_plain_secrets(task, command) for task in tasks):
        # Only this: the fault of another value could quote a secret.
        yield "plain_secret"
        return
    known: set[str] = set()
    required: set[str] = set()
    for task in tasks:
        schema = task.params_schema or {}
        known.update(schema.get("properties", ()))
        required.update(schema.get("required", ()))
    known |= required
    if command.params.keys() - known:
        yield "unknown_param"
    if required - command.params.keys():
        yield "missing_param"
    if not all(fits(task, command.params) for task in tasks):
        yield "bad_param"


def _plain_secrets(task: TaskDeclaration, command: InvokeTask) -> list[str]:
    """Return the secrets among the parameters of a task that are not references."""
    properties = (task.params_schema or {}).get("properties", {})
    return [
        name
        for name, schema in properties.items()
        if schema.get("writeOnly")
        and command.params.get(name) is not None
        and not str(command.params[name]).startswith(REFERENCES)
    ]


def _check_cancel(after: Run, codes: set[str], read: Run | None) -> None:
    """`read`: the run as the program read it last; another one may have changed it since."""
    if "run_completed" in codes and (read is None or read.status != "completed"):
        raise Unexpected("a cancel was refused, but the run was not completed")
    if not codes and after.status != "cancelled":
        raise Unexpected(f"a cancel was accepted, but the run is {after.status}")


def _check_retry(
    command: RetryRun, envelope: Envelope, after: Run, codes: set[str], read: Run | None
) -> None:
    """`read`: as above."""
    command_id = command.command_id or envelope.id
    if not codes and command_id not in after.commands:
        raise Unexpected("a retry was accepted, but it is not applied to the run")
    known = () if read is None else read.commands
    most = min(in_use().kept_commands, _COMMANDS_MAX)
    if "too_many_commands" in codes and (command_id in known or len(known) < most):
        raise Unexpected(f"a retry was refused although the run had {len(known)} commands")
    if codes & {"nothing_failed", "rerun_under_way"} and (
        read is None or command_id in read.commands
    ):
        raise Unexpected("a retry was refused as if nothing had failed, but it is applied")
    if "rerun_under_way" in codes and not after.reruns:
        raise Unexpected("a retry was refused because of a rerun, and there was none")


def _check_moved(
    handled: HandledInput, answers: Sequence[Message], snapshot: RunSnapshot | None
) -> None:
    """A task that a retry is refused for belongs to another server now, and to one at all."""
    graph = handled.graph
    owner_of = {
        task.name: server
        for server, declared in (graph.declarations.items() if graph is not None else ())
        for task in declared.tasks
    }
    for answer in answers:
        for problem in answer.problems if isinstance(answer, InvocationRejected) else ():
            if problem.code != "task_moved" or snapshot is None or not problem.path:
                continue
            name = problem.path[0]
            planned = snapshot.plan.tasks[snapshot.plan.index_of[name]].server
            if owner_of.get(name) in (None, planned):
                raise Unexpected(f"a retry was refused because {name} moved to nowhere")

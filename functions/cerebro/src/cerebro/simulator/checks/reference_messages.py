"""Reference of messages: what cerebro may publish about a run, compared with what is stored.

Invariant: nothing here calls `cerebro.core.messages`.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.simulator.checks.reference_facts import EXPIRY_MESSAGE
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.sizes import in_use
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.state_updates import RunStateChanged, TaskStateChanged
from cordyna_core.contract.time import utc

Outputs = Mapping[tuple[str, int], Any]
"""The accepted output of each completed task run, by (run, index)."""

_UPSTREAM_BYTES_MAX: Final = 128 * 1024
_ROOT_CAUSES_MAX: Final = 100

_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode


def check_command(snapshot: RunSnapshot, fact: TaskRun, command: RunTask, outputs: Outputs) -> None:
    """Compare a RunTask with the fact and the declaration that it was made from.

    Raises Unexpected.
    """
    run, plan = snapshot.run, snapshot.plan
    task = plan.tasks[plan.index_of[command.task]]
    params = {name: run.params[name] for name in task.params if name in run.params}
    if command.params != params:
        raise Unexpected(f"{task.name} was sent with {command.params}, not {params}")
    if fact.attempt != command.attempt:
        return  # a handler that was paused sends it: a rerun has replaced some of the outputs
    upstream, omitted = _fitting(
        [(plan.tasks[up].name, outputs.get((run.id, up))) for up in task.upstream]
    )
    if list(command.upstream.items()) != upstream or command.upstream_omitted != omitted:
        raise Unexpected(f"{task.name} was sent with {command.upstream}, not {upstream}")
    scheduled_at = None if run.scheduled_at is None else utc(run.scheduled_at)
    if (command.server, command.scheduled_at) != (task.server, scheduled_at):
        raise Unexpected(f"{task.name} was sent to {command.server} for {command.scheduled_at}")


def _fitting(outputs: list[tuple[str, Any]]) -> tuple[list[tuple[str, Any]], list[str]]:
    """Return what fits into 128 KB of JSON, in declared order, and the names of the rest."""
    room, fitting, omitted = min(in_use().upstream_bytes, _UPSTREAM_BYTES_MAX), [], []
    for name, output in outputs:
        size = len(_to_json(output).encode())
        if size <= room:
            fitting.append((name, output))
            room -= size
        else:
            omitted.append(name)
    return fitting, omitted


def check_task_message(
    snapshot: RunSnapshot, fact: TaskRun | None, message: TaskStateChanged | CancelTask
) -> None:
    """Compare what is published about a task run with its timeline. Raises Unexpected."""
    name = message.task
    if fact is None or message.attempt > fact.attempt:
        raise Unexpected(f"{name}: attempt {message.attempt} was published, but never begun")
    if message.server != snapshot.plan.tasks[snapshot.plan.index_of[name]].server:
        raise Unexpected(f"{name} was published as a task of {message.server}")
    if isinstance(message, TaskStateChanged):
        entries = {(entry.state, entry.reason, entry.attempt) for entry in fact.timeline}
        if (message.state, message.reason, message.attempt) not in entries:
            raise Unexpected(
                f"{name}: {message.state} {message.reason} was published, but never written"
            )
        is_expiry = message.reason in EXPIRY_MESSAGE
        text = message.error.message if message.error is not None else None
        if text != (EXPIRY_MESSAGE[message.reason or ""] if is_expiry else None):
            raise Unexpected(f"{name}: {message.reason} was published with the error {text}")


def check_run_message(
    snapshot: RunSnapshot, run: Run, message: RunStateChanged, *, has_completed: bool
) -> None:
    """Compare what is published about a run with the run. Raises Unexpected.

    `has_completed`: it was completed at some time. A rerun may have opened it again before a
    handler that was paused publishes that.
    """
    if message.task != snapshot.run.task:
        raise Unexpected(f"the run was published as one of {message.task}")
    if message.state == "completed" and not has_completed:
        raise Unexpected(f"the run was published as completed, but it is {run.status}")
    names = [cause.task for cause in message.root_causes]
    tasks = {task.name: task for task in snapshot.plan.tasks}
    for cause in message.root_causes:
        task = tasks.get(cause.task)
        if task is None or (cause.server, cause.owner) != (task.server, task.owner):
            raise Unexpected(f"{cause.task} was named with another server or owner")
    if len(names) > min(in_use().root_causes, _ROOT_CAUSES_MAX):
        raise Unexpected(f"a message names {len(names)} root causes")
    if len(set(names)) != len(names):
        raise Unexpected(f"a root cause was named twice: {names}")


def check_same_end(
    first: RunStateChanged, again: RunStateChanged, *, healed: Collection[str]
) -> None:
    """Check that an end that is published again, under its first id, has the same causes.

    An update that heals may be stored when its run is not yet open again: what it healed is no
    cause then, and blocks nothing. The end of the opened run corrects it, under another id.

    Raises Unexpected.
    """
    causes, now = ({cause.task for cause in end.root_causes} for end in (first, again))
    is_blocked_as_before = healed or again.blocked == first.blocked
    is_full = len(now) == min(in_use().root_causes, _ROOT_CAUSES_MAX)
    are_causes_as_before = causes - {*healed} <= now <= causes or is_full
    if not (are_causes_as_before and is_blocked_as_before):
        raise Unexpected(
            f"an end was published twice, with other causes: {now}, {again.blocked} blocked"
        )


def check_final_message(
    snapshot: RunSnapshot, run: Run, facts: Mapping[int, TaskRun], message: Message | None
) -> None:
    """Compare the last message about an ended run with its facts. Raises Unexpected."""
    if not isinstance(message, RunStateChanged) or run.status != "error":
        return
    plan = snapshot.plan
    failed = {plan.tasks[index].name for index, fact in facts.items() if fact.failed_permanently}
    named = {cause.task for cause in message.root_causes}
    most = min(in_use().root_causes, _ROOT_CAUSES_MAX)
    if not named <= failed or len(named) < min(len(failed), most):
        raise Unexpected(f"{sorted(failed)} failed, and {sorted(named)} were named as root causes")
    for cause in message.root_causes:
        # A clock may have run out before its server reported another reason.
        timeline = facts[plan.index_of[cause.task]].timeline
        if cause.reason not in {entry.reason for entry in timeline}:
            raise Unexpected(f"{cause.task} never failed by {cause.reason}, but was named with it")
    blocked = _blocked(snapshot, facts)
    if message.blocked != blocked:
        raise Unexpected(f"{blocked} tasks are blocked, and {message.blocked} were published")


def _blocked(snapshot: RunSnapshot, facts: Mapping[int, TaskRun]) -> int:
    """Return how many planned tasks that wait are downstream of a permanent failure."""
    reached: set[int] = set()
    for index, task in enumerate(snapshot.plan.tasks):
        fact = facts.get(index)
        if fact is not None and fact.rank != Rank.WAITING:
            continue
        if any(up in reached or is_failed(facts.get(up)) for up in task.awaits):
            reached.add(index)
    return len(reached)


def is_failed(fact: TaskRun | None) -> bool:
    return fact is not None and fact.failed_permanently

"""Reference of effects: what a message must have led to when its program has ended.

A program that ended without a crash has done everything that follows from what it wrote: published
its own decisions, asked for the end of the attempt before a retry, recorded results, noted a tick.

Invariant: nothing here calls a program of the core.
"""

from collections.abc import Iterator
from typing import Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core.graph.owned_task import OwnedTask
from cerebro.core.internal_messages import OverdueCheck, Tick
from cerebro.core.model.plan import page_of
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.reference_declarations import check_declaration
from cerebro.simulator.checks.reference_facts import rank_reported, state_shown
from cerebro.simulator.checks.unexpected import Unexpected
from cordyna_core.contract.commands import CancelTask, InvokeTask, RetryRun, RunTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CEREBRO, SCHEDULER, run_id_of
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)
from cordyna_core.contract.time import utc

_ANNOUNCED: Final = (
    "ack_timeout",
    "start_timeout",
    "run_timeout",
    "retry_wait",
    "cancelled",
)
"""The entries of a timeline that cerebro publishes; RunTask announces `dispatched`."""

TICK_DELAY_MAX_S: Final = 300.0


def check_effects(handled: HandledInput, snapshot: RunSnapshot | None, store: MemoryStore) -> None:
    """Check a message that was handled to its end. Raises Unexpected."""
    if snapshot is not None:
        if handled.facts_written:
            _check_announced(handled, snapshot)
            _check_results(handled, snapshot)
            _check_failures(handled, snapshot, store)
        _check_update_is_about_an_attempt(handled, snapshot, store)
        if isinstance(handled.message, OverdueCheck):
            _check_missed_acks(handled, handled.message, snapshot, store)
    if handled.published:
        _check_stopped(handled)
    if handled.has_set_failing and not any(
        isinstance(message, RunStateChanged) and message.state == "failing"
        for message in handled.published
    ):
        raise Unexpected("the run is failing, and its input did not publish that")
    if handled.has_reopened and not any(
        isinstance(message, RunStateChanged) for message in handled.published
    ):
        raise Unexpected("the run was reopened, and its input did not publish that")
    if isinstance(handled.message, Tick):
        _check_tick(handled, handled.message, store)
    if isinstance(handled.message, Envelope):
        _check_end_is_looked_for(handled, handled.message)
        check_declaration(handled, handled.message)


def _check_announced(handled: HandledInput, snapshot: RunSnapshot) -> None:
    published = {
        (message.task, message.reason, message.attempt)
        for message in handled.published
        if isinstance(message, TaskStateChanged)
    }
    for index, seen, fact in handled.facts_written:
        name = snapshot.plan.tasks[index].name
        for entry in fact.timeline[len(seen.timeline) if seen else 0 :]:
            is_announced = entry.by == CEREBRO and entry.reason in _ANNOUNCED
            if is_announced and (name, entry.reason, entry.attempt) not in published:
                raise Unexpected(f"{name}: {entry.reason} was decided, but not published")


def _check_results(handled: HandledInput, snapshot: RunSnapshot) -> None:
    """A result that may be reused is recorded by the update that completes its task."""
    for index, seen, fact in handled.facts_written:
        task = snapshot.plan.tasks[index]
        has_completed = fact.rank == Rank.COMPLETED and (seen is None or seen.rank < fact.rank)
        is_by_server = fact.timeline[-1].by != CEREBRO
        is_recorded = task.name in handled.results_written
        if has_completed and is_by_server and task.kept and not is_recorded:
            raise Unexpected(f"the result of {task.name} was not recorded for reuse")


def _check_failures(handled: HandledInput, snapshot: RunSnapshot, store: MemoryStore) -> None:
    """Who writes a failure for good marks the run, and has its end looked for."""
    run = store.read_run(snapshot.run.id)
    if run is None or run.is_over:
        return
    for index, seen, fact in handled.facts_written:
        stored = store.read_task(run.id, index)
        is_failed = fact.failed_permanently and fact.rank != Rank.CANCELLED
        is_failed = is_failed and not (seen is not None and seen.failed_permanently)
        if not is_failed or stored is None or stored.rev != fact.rev:
            continue
        name = snapshot.plan.tasks[index].name
        if not run.failing:
            raise Unexpected(f"{name} failed for good, and its input left the run not failing")
        if page_of(index) not in handled.armed_pages:
            raise Unexpected(f"{name} failed for good, and the end of the run is not looked for")


def _check_end_is_looked_for(handled: HandledInput, envelope: Envelope) -> None:
    """A RetryRun that opened a failing run has its end looked for: it may be over already."""
    command = envelope.message
    if not isinstance(command, RetryRun):
        return
    if any(isinstance(message, InvocationRejected) for message in handled.published):
        return
    run = handled.runs_read.get(command.run_id)
    is_failing = run is not None and run.status == "running" and run.failing
    if is_failing and 0 not in handled.armed_pages:
        raise Unexpected("a retry opened the run, and its end is not looked for")


def _check_update_is_about_an_attempt(
    handled: HandledInput, snapshot: RunSnapshot, store: MemoryStore
) -> None:
    envelope = handled.message
    update = envelope.message if isinstance(envelope, Envelope) else None
    if isinstance(update, TaskStateChanged):
        index = snapshot.plan.index_of[update.task]
        fact = store.read_task(update.run_id, index)
        if fact is None or update.attempt > fact.attempt:
            raise Unexpected(f"attempt {update.attempt} of {update.task} was never sent")
        read = handled.facts_read.get((update.run_id, index))
        _check_late_end(update, envelope.source, fact, read=read)
        if update.server not in handled.noted_servers:
            raise Unexpected(f"an update is a sign of life of {update.server}, and was not noted")


def _check_missed_acks(
    handled: HandledInput, check: OverdueCheck, snapshot: RunSnapshot, store: MemoryStore
) -> None:
    """A server missed an acknowledgement exactly if that clock of a command to it expired."""
    tasks = snapshot.plan.tasks
    expired = {
        tasks[index].server
        for index, _, fact in handled.facts_written
        if fact.cause == check.id and fact.rank == Rank.ACK_TIMEOUT
    }
    if unnoted := expired - handled.silent_servers:
        raise Unexpected(f"{unnoted} did not acknowledge a command, and that was not noted")
    # Another delivery may have expired the fact, and it may have moved on since it was read here.
    silent = {
        tasks[index].server
        for index, fact in store._tasks[check.run_id].items()
        if any(entry.reason == "ack_timeout" for entry in fact.timeline)
    }
    if wrong := handled.silent_servers - silent - expired:
        raise Unexpected(f"{wrong} are noted as silent, but no clock of a command expired")


def _check_late_end(
    update: TaskStateChanged, source: str, fact: TaskRun, *, read: TaskRun | None
) -> None:
    """The end of an older attempt is shown.

    It is not, if its handler `read` last that this attempt was the last one, and ignored it then.
    """
    state = state_shown(update)
    if update.attempt == fact.attempt or state not in ("completed", "error"):
        return
    if read is not None and read.attempt == update.attempt:
        is_higher = Rank.WAITING < read.rank < rank_reported(update)
        if not is_higher:
            return  # the attempt waited for its upstream, or had reported no less
    ends = {(entry.attempt, entry.state, entry.by) for entry in fact.timeline}
    if (update.attempt, state, source) not in ends:
        raise Unexpected(f"{state} of an older attempt of {update.task} is not shown")


def _check_stopped(handled: HandledInput) -> None:
    """With the command of a retry goes the command to stop the attempt before."""
    stopped = {
        (message.task, message.attempt)
        for message in handled.published
        if isinstance(message, CancelTask)
    }
    for message in handled.published:
        if not isinstance(message, RunTask) or message.attempt == 1:
            continue
        if (message.task, message.attempt - 1) not in stopped:
            raise Unexpected(f"{message.task} was retried, and the attempt before not stopped")


# --- crons ----------------------------------------------------------------------------------------
def _check_tick(handled: HandledInput, tick: Tick, store: MemoryStore) -> None:
    invoked = [message for message in handled.published if isinstance(message, InvokeTask)]
    refused = [message for message in handled.published if isinstance(message, InvocationRejected)]
    if len(invoked) + len(refused) != 1:
        raise Unexpected(f"the tick of {tick.task} led to {len(invoked)} invocations")
    graph = handled.graph
    owned = graph.get(tick.task) if graph is not None else None
    cron = owned.task.cron if owned is not None else None
    codes = {problem.code for message in refused for problem in message.problems}
    expected = set(_tick_problems(handled, tick, cron))
    if codes - {"overlap_skipped"} - expected or (invoked and expected):
        raise Unexpected(f"the tick of {tick.task} was refused with {codes}, not {expected}")
    _check_deadline_is_stored(tick, owned, store, is_refused=bool(expected))
    may_overlap = owned is not None and owned.task.overlap == "allow"
    if "overlap_skipped" in codes and (may_overlap or not _is_last_tick_running(handled, tick)):
        raise Unexpected(f"the tick of {tick.task} was skipped, but no earlier one is running")
    if invoked:
        last = store.read_tick(tick.task)
        if last is None or last < tick.nominal:
            raise Unexpected(f"the tick of {tick.task} fired, and was not noted")
        if invoked[0].scheduled_at != utc(tick.nominal):
            raise Unexpected(f"the tick of {tick.task} fired for another nominal time")
        if not may_overlap and _is_last_tick_running(handled, tick):
            raise Unexpected(f"the tick of {tick.task} fired, but the run of the last is running")


def _tick_problems(handled: HandledInput, tick: Tick, cron: str | None) -> Iterator[str]:
    if cron is None:
        yield "not_scheduled"
    elif handled.clocks[0] - tick.nominal > TICK_DELAY_MAX_S:
        yield "missed_tick"


def _is_last_tick_running(handled: HandledInput, tick: Tick) -> bool:
    """Return whether the run of an earlier tick is not over, as the program read it."""
    last = handled.last_tick
    if last is None or last >= tick.nominal:
        return False
    run_id = run_id_of(tick.task, f"cron {utc(last).isoformat()}", SCHEDULER)
    run = handled.runs_read.get(run_id)
    return run is not None and not run.is_over


def _check_deadline_is_stored(
    tick: Tick, owned: OwnedTask | None, store: MemoryStore, *, is_refused: bool
) -> None:
    """The deadline of a tick is stored, whether or not it leads to a run."""
    if owned is None or owned.task.due is None or is_refused:
        return
    if (tick.task, tick.nominal) not in store._deadlines:
        raise Unexpected(f"the tick of {tick.task} fired, and its deadline is not stored")

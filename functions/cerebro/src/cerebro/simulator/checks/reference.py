"""Reference: compares every step of a world with the rules, exactly.

The rules are written a second time in the modules `reference_*`, and what commands are answered in
`answers`. This class remembers what they need: the accepted outputs, what each result was made
from, and what was stored when the handler of an input began.

Invariant: it only observes.
"""

from typing import Any, Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core import effects
from cerebro.core.internal_messages import OverdueCheck, PageTimer, Tick
from cerebro.core.model.plan import page_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.invoke import invocation_key
from cerebro.simulator.checks.accepted_outputs import AcceptedOutputs
from cerebro.simulator.checks.answers import answer_ids, check_answer
from cerebro.simulator.checks.deciders import Deciders
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.reference_effects import check_effects
from cerebro.simulator.checks.reference_facts import check_fact, rank_reported
from cerebro.simulator.checks.reference_messages import (
    check_command,
    check_final_message,
    check_run_message,
    check_same_end,
    check_task_message,
    is_failed,
)
from cerebro.simulator.checks.reference_page_checks import check_page
from cerebro.simulator.checks.reference_plans import Parts, check_new_run
from cerebro.simulator.checks.reference_runs import check_run
from cerebro.simulator.checks.rerun_promises import RerunPromises
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.secrets import has_plain
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, CancelTask, InvokeTask, RetryRun, RunTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import derived_id, run_id_of, server_source
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)

_MARGIN_S: Final = 5.0
"""Handlers read clocks that differ."""


class Reference:
    """What the rules give for the events of a world so far."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.repairs = True
        """Whether page timers dispatch what is ready and was not dispatched."""
        self.reruns = RerunPromises(store)
        self._answered: dict[str, str] = {}
        """The command that each answer was first published for, by the ids of their events."""
        self._deciders = Deciders()
        self._outputs = AcceptedOutputs()
        self._made: dict[tuple[str, int], Parts] = {}
        self._messages: dict[str, RunStateChanged] = {}
        self._completed_runs: set[str] = set()
        self._completed: dict[tuple[str, int, float], TaskRun] = {}
        """The completed facts, by (run, index, dispatched_at)."""
        self._highest: dict[tuple[str, str, int], int] = {}
        """The highest rank that was reported and handled, by (run, task, attempt)."""

    # --- a handler's message ----------------------------------------------------------------------
    def begun(self, handled: HandledInput) -> None:
        """Remember what is stored when a handler begins with a message."""
        run_id = handled.run_id = _run_id_of(handled.message)
        handled.run_before = self._store.read_run(run_id) if run_id else None
        if handled.run_before is not None:
            handled.facts_before = dict(self._store._tasks[run_id])

    def ended(self, handled: HandledInput) -> None:
        """Check what a message led to, now that it was handled to its end. Raises Unexpected."""
        if _changed_nothing(handled):
            return
        before, facts, run_id = handled.run_before, handled.facts_before, handled.run_id
        after = self._store.read_run(run_id) if run_id else None
        about = _run_id_in(handled.message) or run_id
        snapshot = self._store.read_run_snapshot(about) if about else None
        check_answer(handled, before, after, snapshot)
        self._check_own_answer(handled)
        check_effects(handled, snapshot, self._store)
        if isinstance(handled.message, PageTimer | OverdueCheck) and snapshot and after:
            stored = self._store._tasks[run_id]
            check_page(handled.message, handled, snapshot, after, stored, repairs=self.repairs)
        self._note_update(handled)
        if before is not None and after is not None:
            self._check_all_retried(handled, before, after, facts)
            self._check_all_decided(handled, after, facts)

    def refused(self, handled: HandledInput) -> None:
        """Check that an update of an attempt that had begun is not refused. Raises Unexpected."""
        message = handled.message
        update = message.message if isinstance(message, Envelope) else None
        if not isinstance(update, TaskStateChanged) or update.state == "pending":
            return
        snapshot = self._store.read_run_snapshot(update.run_id)
        index = snapshot.plan.index_of.get(update.task) if snapshot is not None else None
        if snapshot is None or index is None:
            return
        fact = self._store.read_task(update.run_id, index)
        is_owner = message.source == server_source(snapshot.plan.tasks[index].server)
        entries = fact.timeline if fact is not None else ()
        began = [entry.at for entry in entries if entry.attempt == update.attempt]
        if is_owner and began and handled.clocks and began[0] + _MARGIN_S < handled.clocks[0]:
            raise Unexpected(f"{update.state} of attempt {update.attempt} of {update.task} refused")

    def _check_own_answer(self, handled: HandledInput) -> None:
        """Each command has an answer of its own: a reader drops one whose id it knows."""
        ids = answer_ids(handled)
        if ids and all(
            self._answered.setdefault(own, handled.message.id) != handled.message.id for own in ids
        ):
            raise Unexpected(f"{handled.message.id} has the answer of another command")

    def _note_update(self, handled: HandledInput) -> None:
        envelope = handled.message
        update = envelope.message if isinstance(envelope, Envelope) else None
        if isinstance(update, TaskStateChanged):
            key = (update.run_id, update.task, update.attempt)
            fact = self._fact(self._snapshot(update.run_id), update.task)
            if fact is not None and fact.rank == Rank.WAITING and fact.attempt == update.attempt:
                return  # An attempt that was never sent: a stranger reports it.
            self._highest[key] = max(rank_reported(update), self._highest.get(key, 0))

    def _check_all_retried(
        self, handled: HandledInput, before: Run, after: Run, facts: dict[int, TaskRun]
    ) -> None:
        """A RetryRun that was applied leaves nothing failed that it was asked to retry."""
        envelope = handled.message
        command = envelope.message if isinstance(envelope, Envelope) else None
        if not isinstance(command, RetryRun) or not isinstance(envelope, Envelope):
            return
        command_id = command.command_id or envelope.id
        if command_id in before.commands or command_id not in after.commands:
            return
        snapshot = self._snapshot(after.id)
        for index, fact in facts.items():
            name = snapshot.plan.tasks[index].name
            is_asked = not command.from_ or name in command.from_
            stored = self._store.read_task(after.id, index)
            is_unchanged = stored is not None and stored.rev == fact.rev
            is_failed = fact.failed_permanently and fact.rank != Rank.CANCELLED
            # What a rerun made wait, it runs again, and then what needs it.
            upstream = [facts.get(awaited) for awaited in snapshot.plan.tasks[index].awaits]
            is_free = not any(found and found.rank == Rank.WAITING for found in upstream)
            if is_asked and is_failed and is_free and is_unchanged:
                raise Unexpected(f"{name} had failed, and the RetryRun did not retry it")

    def _check_all_decided(
        self, handled: HandledInput, after: Run, facts: dict[int, TaskRun]
    ) -> None:
        """An overdue check decides everything that it was asked for, unless it is sent on."""
        check = handled.message
        if not isinstance(check, OverdueCheck) or after.is_over:
            return
        end = min((sent.start for sent in handled.checks if sent.turn >= check.turn), default=None)
        if any(sent.turn > check.turn and sent.start == check.start for sent in handled.checks):
            return
        for index, fact in facts.items():
            is_due = fact.deadline is not None and fact.deadline <= check.asked_at
            is_mine = page_of(index) == check.page and index >= check.start
            is_mine = is_mine and (end is None or index < end)
            stored = self._store.read_task(after.id, index)
            if is_due and is_mine and stored is not None and stored.rev == fact.rev:
                name = self._snapshot(after.id).plan.tasks[index].name
                raise Unexpected(f"{name} was overdue, and the check did not decide it")

    # --- writes -----------------------------------------------------------------------------------
    def task_written(self, effect: effects.WriteTask, handled: HandledInput) -> None:
        """Raises Unexpected."""
        snapshot = self._snapshot(effect.run_id)
        check_fact(snapshot, effect, handled)
        self._check_run_may_expire(effect, handled)
        handled.facts_written.append((effect.index, effect.seen, effect.new))
        self.reruns.task_written(snapshot.plan, effect)
        task = snapshot.plan.tasks[effect.index]
        self._deciders.task_written(effect, task.name, handled.key)
        if effect.new.rank == Rank.COMPLETED:
            self._completed[effect.run_id, effect.index, effect.new.dispatched_at] = effect.new
        self._outputs.task_written(task, effect, handled.message)

    def _check_run_may_expire(self, effect: effects.WriteTask, handled: HandledInput) -> None:
        before, now = handled.run_before, self._store.read_run(effect.run_id)
        is_expiry = effect.seen is not None and effect.new.rank in _EXPIRED
        if is_expiry and before and now and before.status == now.status == "completed":
            raise Unexpected("a clock was expired in a run that is completed")

    def run_written(self, effect: effects.WriteRun, handled: HandledInput) -> None:
        """Raises Unexpected."""
        self._deciders.run_written(effect.new, handled.key)
        if effect.new.status == "completed":
            self._completed_runs.add(effect.new.id)
        if effect.seen is None:
            handled.has_created_run = True
            snapshot = self._snapshot(effect.new.id)
            parts = check_new_run(snapshot, handled, self._store, self._made, self._completed)
            self._made.update({(effect.new.id, index): made for index, made in parts.items()})
        else:
            facts = self._store._tasks[effect.new.id]
            check_run(effect.seen, effect.new, facts, handled)
            handled.has_reopened |= effect.seen.is_over and not effect.new.is_over
            is_set = effect.new.failing and not effect.seen.failing
            handled.has_set_failing = handled.has_set_failing or is_set

    def result_written(self, effect: effects.WriteCachedResult, handled: HandledInput) -> None:
        """Raises Unexpected."""
        handled.results_written.add(effect.task)
        result = effect.result
        # A rerun may have begun since the fact was written or read.
        fact = self._completed.get((result.run_id, result.index, result.dispatched_at))
        if fact is None:
            raise Unexpected(f"a result of {effect.task} was recorded that it never had")
        if not self._snapshot(result.run_id).plan.tasks[result.index].kept:
            raise Unexpected(f"a result of {effect.task} was recorded that nothing may reuse")
        if fact.cause != handled.cause:
            raise Unexpected(f"a result of {effect.task} was recorded that another input made")
        if (result.output, result.output_ref) != (fact.output, fact.output_ref):
            raise Unexpected(f"the result of {effect.task} was recorded with another output")

    # --- publications -----------------------------------------------------------------------------
    def published(self, message: Message, handled: HandledInput) -> None:
        """Raises Unexpected."""
        handled.published.append(message)
        if wrong := self._deciders.wrongly_published(message, handled.key):
            raise Unexpected(wrong)
        self._check_trace(message, handled)
        match message:
            case RunTask():
                snapshot = self._snapshot(message.run_id)
                fact = self._fact(snapshot, message.task)
                if fact is not None:
                    self.reruns.sent(message)
                    check_command(snapshot, fact, message, self._outputs.last)
            case TaskStateChanged() | CancelTask():
                snapshot = self._snapshot(message.run_id)
                check_task_message(snapshot, self._fact(snapshot, message.task), message)
            case RunStateChanged():
                run = self._store.read_run(message.run_id)
                if run is not None:
                    has_completed = run.id in self._completed_runs
                    snapshot = self._snapshot(message.run_id)
                    check_run_message(snapshot, run, message, has_completed=has_completed)
                self._check_same_content(message)

    def _check_trace(self, message: Message, handled: HandledInput) -> None:
        """Every message of a run carries the trace context of its invocation."""
        traced = message.meta.traceparent if message.meta else None
        if isinstance(message, InvocationRejected):
            # Of its fields: the text of a model takes ten times as long.
            if any(has_plain(vars(problem)) for problem in message.problems):
                raise Unexpected(f"a refusal tells a secret: {message.problems}")
            envelope = handled.message
            meta = envelope.message.meta if isinstance(envelope, Envelope) else None
            expected = meta.traceparent if meta else None
        else:
            run = self._store.read_run(vars(message).get("run_id", ""))
            expected = run.traceparent if run is not None else None
        if traced != expected:
            raise Unexpected(f"{type(message).__name__} has the trace {traced}, not {expected}")

    def _check_same_content(self, message: RunStateChanged) -> None:
        """The ends of a run with one id have one content: a reader may keep either."""
        if message.meta is None or message.meta.id is None:
            raise Unexpected("a message about a run has no id")
        first = self._messages.setdefault(message.meta.id, message)
        run = self._store.read_run(message.run_id)
        rev = run.rev if run is not None else 0
        if message.meta.id == derived_id("RunStateChanged", message.run_id, "error", rev):
            check_same_end(first, message, healed=self._healed(first))

    def _healed(self, end: RunStateChanged) -> set[str]:
        """Return the root causes of an end that an update has brought back since."""
        snapshot = self._snapshot(end.run_id)
        causes = (cause.task for cause in end.root_causes)
        return {task for task in causes if not is_failed(self._fact(snapshot, task))}

    def at_rest(self, run: Run, ended_rev: int) -> None:
        """Check the facts of a run that has ended, and the last message about it.

        Raises Unexpected.
        """
        self._check_maximum(run)
        target = self._store.read_task(run.id, self._snapshot(run.id).plan.target)
        if run.status == "completed" and (target is None or target.rank != Rank.COMPLETED):
            raise Unexpected("the run completed, but its target did not")
        if given := self.reruns.at_rest(run, self._snapshot(run.id).plan, self._outputs.last):
            raise Unexpected(given)
        message = self._messages.get(derived_id("RunStateChanged", run.id, "error", ended_rev))
        check_final_message(self._snapshot(run.id), run, self._store._tasks[run.id], message)

    def _check_maximum(self, run: Run) -> None:
        """The rank of each attempt is at least the highest that was reported of it."""
        tasks = self._snapshot(run.id).plan.tasks
        for index, fact in self._store._tasks[run.id].items():
            name = tasks[index].name
            highest = self._highest.get((run.id, name, fact.attempt), fact.rank)
            if fact.rank < highest:
                raise Unexpected(
                    f"{name} ends as {Rank(fact.rank).name}, but {Rank(highest).name} was reported"
                )

    def _snapshot(self, run_id: str) -> RunSnapshot:
        snapshot = self._store.read_run_snapshot(run_id)
        assert snapshot is not None
        return snapshot

    def _fact(self, snapshot: RunSnapshot, task: str) -> TaskRun | None:
        return self._store.read_task(snapshot.run.id, snapshot.plan.index_of[task])


def _changed_nothing(handled: HandledInput) -> bool:
    """Return whether there is nothing to check: most timers and notices find nothing to do."""
    has_changed = handled.facts_written or handled.published or handled.has_set_failing
    return not (has_changed or isinstance(handled.message, _ALWAYS_CHECKED))


_EXPIRED: Final = (Rank.ACK_TIMEOUT, Rank.START_TIMEOUT, Rank.RUN_TIMEOUT)
_ALWAYS_CHECKED: Final = (Envelope, Tick, PageTimer, OverdueCheck)


def _run_id_in(message: Any) -> str:
    """Return the run that a message names."""
    if isinstance(message, Envelope):
        # Of its fields: to ask a model for an attribute that it lacks takes long.
        return str(vars(message.message).get("run_id", ""))
    return str(getattr(message, "run_id", ""))


def _run_id_of(message: Any) -> str:
    match message:
        case OverdueCheck() | PageTimer():
            return message.run_id
        case Envelope(message=CancelRun() | RetryRun() as command):
            return command.run_id
        case Envelope(message=InvokeTask() as command):
            return run_id_of(command.task, invocation_key(command, message), message.source)
    return ""

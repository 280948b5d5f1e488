"""Checker: observes every step of a world and raises as soon as an invariant breaks.

Invariant: it only observes. Beside what is stored it knows what is on its way: unacknowledged
inputs, and page timers.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core import effects, invariants
from cerebro.core.incidents.effects import WriteDeadline, WriteIncident
from cerebro.core.internal_messages import OverdueCheck, PageTimer
from cerebro.core.model.plan import page_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, all_completed
from cerebro.core.run.transitions import EXPIRY_REASON
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.incident_checks import IncidentChecks
from cerebro.simulator.checks.load_promises import EXPIRIES, LoadPromises
from cerebro.simulator.checks.published_ids import PublishedIds
from cerebro.simulator.checks.reference import Reference
from cerebro.simulator.checks.sent_commands import SentCommands
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.secrets import has_plain, may_be_kept
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import RunTask

Page = tuple[str, int]

_NO_PAGES: Final[frozenset[Page]] = frozenset()

EXPIRY_DELAY_MAX_S: Final = 2.0
RUN_END_DELAY_MAX_S: Final = 5.0


class InvariantBroken(Exception):
    """An invariant broke: which one, and in which run."""

    def __init__(self, invariant: str, run_id: str = "") -> None:
        super().__init__(invariant)
        self.invariant, self.run_id = invariant, run_id


def input_key(run_id: str, cause: str) -> str:
    """Name an input among those of all runs: a page timer's id is unique within its run only."""
    # Ids of commands and updates have no colon, but for what an adversary makes up.
    is_internal = ":" in cause and cause.startswith(("ring:", "overdue:"))
    return run_id + cause if is_internal else cause


class Checker:
    """Checks invariants after every write and publication.

    `skew_s` is by how much any clock may differ from the true time. `is_punctual`: nothing delays
    anything in this world, so deadlines are kept to seconds.
    """

    def __init__(self, store: MemoryStore, skew_s: float, *, is_punctual: bool = False) -> None:
        self.now: Callable[[], float] = lambda: 0.0
        """The true time; the world sets it."""
        self.store, self.skew_s, self.is_punctual = store, skew_s, is_punctual
        self.handled = HandledInput(None, "")
        """The input that is being handled."""
        self.reference = Reference(store)
        self.incidents = IncidentChecks(store, skew_s)
        self.promises: LoadPromises | None = None
        self.ages_s: Callable[[], Mapping[str, float]] = dict
        """The longest waits in the queues of bounded handlers, by queue."""
        self.unacknowledged: defaultdict[str, int] = defaultdict(int)
        self.page_timers: defaultdict[Page, list[float]] = defaultdict(list)
        self.overdue_checks: defaultdict[Page, list[float]] = defaultdict(list)
        """When the overdue checks of each page that are under way were asked for."""
        self.unreliable_pages: set[Page] = set()
        """Pages of which a timer was lost for good: only the sweep guards them."""
        self.commands = SentCommands(self.reference.reruns)
        self.published_ids = PublishedIds()
        self.writes = self.messages = 0
        self._moved_at: dict[str, float] = {}
        self._ended_rev: dict[str, int] = {}
        """`rev` of each run when it ended: a rerun that does nothing may step it afterwards."""
        self._pages_of_input: defaultdict[str, set[Page]] = defaultdict(set)

    # --- writes ---------------------------------------------------------------------------------
    def task_written(self, effect: effects.WriteTask, now: float) -> None:
        """Check a fact right after it was written."""
        self.writes += 1
        run_id, index, fact = effect.run_id, effect.index, effect.new
        snapshot, run = self._run(run_id)
        facts = self.store._tasks[run_id]
        pending = partial(self._is_pending, run_id)
        broken = invariants.of_task(
            snapshot, run, facts, index, effect.seen, now=now, skew_s=self.skew_s, pending=pending
        )
        if broken is None and self.is_punctual:
            broken = _late_expiry(effect, now)
        if broken:
            raise InvariantBroken(broken, run_id)
        try:
            self.reference.task_written(effect, self.handled)
            if self.promises is not None and fact.rank in EXPIRIES and _is_expiry(effect):
                self.promises.expired(snapshot, effect, now, self.ages_s())
        except Unexpected as error:
            raise InvariantBroken(str(error), run_id) from error
        self._moved_at[run_id] = now
        self.commands.begun(run_id, index, effect.seen, fact, self.handled.key)
        if fact.deadline is not None:
            self._pages_of_input[input_key(run_id, fact.cause)].add((run_id, page_of(index)))

    def run_written(self, effect: effects.WriteRun, now: float) -> None:
        """Check a run right after it was written."""
        self.writes += 1
        run = effect.new
        snapshot, _ = self._run(run.id)
        facts = self.store._tasks[run.id]
        broken = invariants.of_run(snapshot.plan, facts, effect.seen, run)
        if broken is None and run.status == "error":
            broken = invariants.alive_though_over(
                snapshot,
                run,
                facts,
                lambda cause: self._is_pending(run.id, cause) and cause != run.cause,
            )
        if broken:
            raise InvariantBroken(broken, run.id)
        try:
            self.reference.run_written(effect, self.handled)
        except Unexpected as error:
            raise InvariantBroken(str(error), run.id) from error
        if run.is_over and (effect.seen is None or effect.seen.status != run.status):
            self._ended_rev[run.id] = run.rev
        if effect.seen is not None and run.rev > effect.seen.rev:
            self._moved_at[run.id] = now  # it was reopened
        if (
            self.is_punctual
            and effect.seen is not None
            and (effect.seen.status, run.status) == ("running", "error")
            and now - self._moved_at[run.id] > RUN_END_DELAY_MAX_S
        ):
            raise InvariantBroken("nothing was live any more, but the run did not end", run.id)

    def incident_written(self, effect: WriteIncident) -> None:
        """Check an incident right after it was written."""
        try:
            self.incidents.incident_written(effect)
        except Unexpected as error:
            raise InvariantBroken(str(error), effect.new.run_id or "") from error

    def deadline_written(self, effect: WriteDeadline) -> None:
        """Check a deadline right after it was written."""
        try:
            self.incidents.deadline_written(effect)
        except Unexpected as error:
            raise InvariantBroken(str(error)) from error

    def result_written(self, effect: effects.WriteCachedResult) -> None:
        """Check a result right after it was recorded."""
        try:
            self.reference.result_written(effect, self.handled)
        except Unexpected as error:
            raise InvariantBroken(str(error), effect.result.run_id) from error

    # --- a handler's message --------------------------------------------------------------------
    def begun(self, handled: HandledInput) -> None:
        """A handler begins with a message."""
        self.handled = handled
        self.reference.begun(handled)

    def ended(self, handled: HandledInput, run_id: str) -> None:
        """Check what a message led to, now that its program has ended."""
        self.handled = handled
        try:
            self.reference.ended(handled)
            self.incidents.ended(handled)
        except Unexpected as error:
            raise InvariantBroken(str(error), run_id) from error
        for index, seen, fact in handled.facts_written:
            has_completed = fact.rank == Rank.COMPLETED and (seen is None or seen.rank != fact.rank)
            if has_completed and run_id:
                self._check_dispatched(run_id, index)

    def _check_dispatched(self, run_id: str, completed: int) -> None:
        """What a completion made ready was dispatched, by its input or by another's."""
        snapshot, run = self._run(run_id)
        downstream = snapshot.plan.downstream[completed]
        if completed == snapshot.plan.target and run.status == "running" and not run.reruns:
            raise InvariantBroken("the target completed, and its input did not end the run", run_id)
        if run.is_over or run.reruns:
            return
        facts = self.store._tasks[run_id]
        # From there on, a message of its own dispatches it.
        sent_on = min(
            (one.start for one in self.handled.fan_outs if one.index == completed),
            default=len(downstream),
        )
        for index in downstream[:sent_on]:
            task = snapshot.plan.tasks[index]
            if index in facts or not all_completed(task.awaits, facts):
                continue
            causes = (facts[upstream].cause for upstream in task.awaits if upstream != completed)
            if not any(self._is_pending(run_id, cause) for cause in causes):
                raise InvariantBroken(f"{task.name} was ready, and was not dispatched", run_id)

    # --- page timers and overdue checks ---------------------------------------------------------
    def is_on_its_way(self, message: PageTimer | OverdueCheck) -> None:
        """Note what guards a page."""
        page = message.run_id, message.page
        if isinstance(message, PageTimer):
            self.page_timers[page].append(message.due)
        else:
            self.overdue_checks[page].append(message.asked_at)

    def arrived(self, message: PageTimer | OverdueCheck) -> None:
        """Note that what guarded a page has been handled."""
        page = message.run_id, message.page
        if isinstance(message, PageTimer):
            self.page_timers[page].remove(message.due)
        else:
            self.overdue_checks[page].remove(message.asked_at)

    # --- acknowledgements -----------------------------------------------------------------------
    def acknowledged(self, key: str, run_id: str, page: int | None) -> None:
        """Check that what an input wrote is guarded by something else, now that it is handled."""
        left = self.unacknowledged[key] = self.unacknowledged[key] - 1
        pages = self._pages_of_input.get(key, _NO_PAGES)
        if left <= 0:
            del self.unacknowledged[key]
            self._pages_of_input.pop(key, None)
            if unsent := self.commands.handled(key, self.store, self.now()):
                raise InvariantBroken(unsent, run_id)
        if page is not None:
            pages = {*pages, (run_id, page)}
        for written in pages:
            self._check_guarded(written)

    def _check_guarded(self, written: Page) -> None:
        run_id, page = written
        snapshot, run = self._run(run_id)
        facts = self.store._tasks[run_id]
        broken: str | None = None
        is_pending = partial(self._is_pending, run_id)
        if run.is_over:
            others = self.reference.reruns.unless_asked(run_id, is_pending)
            broken = invariants.alive_though_over(snapshot, run, others, is_pending)
        elif written not in self.unreliable_pages:
            timers = self.page_timers[written]
            broken = invariants.unguarded(
                snapshot,
                facts,
                page,
                timers,
                self.overdue_checks[written],
                is_pending,
                now=self.now(),
                skew_s=self.skew_s,
            )
        if broken:
            raise InvariantBroken(broken, run_id)

    def refused(self, handled: HandledInput) -> None:
        """Check a message that a program refused for good."""
        try:
            self.reference.refused(handled)
        except Unexpected as error:
            raise InvariantBroken(str(error)) from error

    def kept_as_dead_letter(self, text: str) -> None:
        """Check what is kept of an event that can never be handled."""
        if has_plain(text) and not may_be_kept(text, self.store.read_graph()):
            raise InvariantBroken(f"a dead letter keeps a secret: {text[-100:]}")

    # --- publications ---------------------------------------------------------------------------
    def published(self, message: Message) -> None:
        """Check a message that cerebro put on the bus."""
        self.messages += 1
        self.incidents.published(message)
        if repeated := self.published_ids.add(message):
            raise InvariantBroken(repeated, getattr(message, "run_id", ""))
        if type(message) is RunTask:
            snapshot, _ = self._run(message.run_id)
            self._check_cause(snapshot, message)
            if wrong := self.commands.sent(snapshot, message, self.handled.key):
                raise InvariantBroken(wrong, message.run_id)
        try:
            if type(message) is RunTask and self.promises is not None:
                self.promises.sent(snapshot, message, self.now(), self.ages_s())
            self.reference.published(message, self.handled)
        except Unexpected as error:
            raise InvariantBroken(str(error), getattr(message, "run_id", "")) from error

    def _check_cause(self, snapshot: RunSnapshot, command: RunTask) -> None:
        fact = self.store.read_task(command.run_id, snapshot.plan.index_of[command.task])
        if fact is None or fact.attempt < command.attempt:
            raise InvariantBroken(
                f"{command.task} was sent before its attempt was written", command.run_id
            )
        is_as_dispatched = fact.attempt == command.attempt and fact.rank == Rank.PENDING
        if is_as_dispatched and input_key(command.run_id, fact.cause) != self.handled.key:
            raise InvariantBroken(
                f"{command.task} was sent by an input that did not dispatch it", command.run_id
            )

    def check_continued(self, untouched_max_s: float, faults_until: float) -> None:
        """Check that no run has been left alone for longer than that, now that faults are over."""
        for run_id in self.store.active_runs():
            _, run = self._run(run_id)
            since = max(self._moved_at.get(run_id, run.created_at), faults_until)
            if self.now() - since > untouched_max_s:
                raise InvariantBroken(
                    "nothing continues the run: it waits for a dead letter", run_id
                )

    # --- at rest --------------------------------------------------------------------------------
    def at_rest(self, *, is_live: bool) -> None:
        """Check a world in which nothing is on its way any more.

        `is_live`: the safety nets that let every run end are there.
        """
        for run_id in list(self.store._runs):
            snapshot, run = self._run(run_id)
            if run.status == "running" and not is_live:
                continue
            facts = self.store._tasks[run_id]
            ended_rev = self._ended_rev.get(run_id, run.rev)
            broken = invariants.at_rest(snapshot, run, facts) or self.published_ids.missing(
                snapshot, run, ended_rev, facts
            )
            if broken:
                raise InvariantBroken(broken, run_id)
            try:
                self.reference.at_rest(run, ended_rev)
                if self.promises is not None:
                    self.promises.at_rest(run_id)
            except Unexpected as error:
                raise InvariantBroken(str(error), run_id) from error
        try:
            self.incidents.at_rest(
                [(*self._run(run_id), self.store._tasks[run_id]) for run_id in self.store._runs]
            )
        except Unexpected as error:
            raise InvariantBroken(str(error)) from error

    def _run(self, run_id: str) -> tuple[RunSnapshot, Run]:
        snapshot, run = self.store.read_run_snapshot(run_id), self.store.read_run(run_id)
        assert snapshot is not None
        assert run is not None
        return snapshot, run

    def _is_pending(self, run_id: str, cause: str) -> bool:
        return input_key(run_id, cause) in self.unacknowledged


def _is_expiry(effect: effects.WriteTask) -> bool:
    return effect.seen is not None and effect.seen.rank != effect.new.rank


def _late_expiry(effect: effects.WriteTask, now: float) -> str | None:
    seen, new = effect.seen, effect.new
    if seen is None or seen.deadline is None or new.rank == seen.rank:
        return None
    is_by_clock = new.attempt > seen.attempt or new.rank in EXPIRY_REASON
    late_s = now - seen.deadline
    if not is_by_clock or late_s <= EXPIRY_DELAY_MAX_S:
        return None
    return f"a deadline was kept {late_s:.1f} s too late"

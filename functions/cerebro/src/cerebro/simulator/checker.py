"""Checker: observes every step of a world and raises as soon as an invariant breaks.

Invariant: it only observes. Beside what is stored it knows what is on its way: unacknowledged
inputs, and page timers.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core import effects as e
from cerebro.core import invariants
from cerebro.core.model import FAILED_RANKS, STATE_OF, Rank, Run, RunSnapshot, TaskRun, page_of
from cerebro.core.run.transitions import EXPIRY_REASON
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import CEREBRO, derived_id

Page = tuple[str, int]

RESULT_AGE_MAX_S: Final = 300.0
"""The oldest result that a scenario lets be reused."""

PAUSE_MAX_S: Final = 7200.0
"""How long a handler may be paused between reading a result and writing the run that reuses it."""

EXPIRY_DELAY_MAX_S: Final = 2.0
RUN_END_DELAY_MAX_S: Final = 5.0


class InvariantBroken(Exception):
    """An invariant broke: which one, and in which run."""

    def __init__(self, invariant: str, run_id: str = "") -> None:
        super().__init__(invariant)
        self.invariant, self.run_id = invariant, run_id


def input_key(run_id: str, cause: str) -> str:
    """Name an input among those of all runs: a page timer's id is unique within its run only."""
    return run_id + cause if cause.startswith(("ring:", "overdue:")) else cause


class Checker:
    """Checks invariants after every write and publication.

    `skew_s` is by how much any clock may differ from the true time. `is_punctual`: nothing delays
    anything in this world, so deadlines are kept to seconds.
    """

    def __init__(self, store: MemoryStore, skew_s: float, *, is_punctual: bool = False) -> None:
        self.now: Callable[[], float] = lambda: 0.0
        """The true time; the world sets it."""
        self.store, self.skew_s, self.is_punctual = store, skew_s, is_punctual
        self.current_input = ""
        """The key of the input that is being handled."""
        self.unacknowledged: defaultdict[str, int] = defaultdict(int)
        self.page_timers: defaultdict[Page, list[float]] = defaultdict(list)
        self.unreliable_pages: set[Page] = set()
        """Pages of which a timer was lost for good: only the sweep guards them."""
        self.published_ids: set[str] = set()
        self.sent: set[tuple[str, str, int]] = set()
        self.writes = self.messages = 0
        self._moved_at: dict[str, float] = {}
        self._pages_of_input: defaultdict[str, set[Page]] = defaultdict(set)

    # --- writes ---------------------------------------------------------------------------------
    def task_written(self, effect: e.WriteTask, now: float) -> None:
        """Check a fact right after it was written."""
        self.writes += 1
        run_id, index, fact = effect.run_id, effect.index, effect.new
        snapshot, run = self._run(run_id)
        facts = self.store._tasks[run_id]
        broken = invariants.of_task(
            snapshot, run, facts, index, effect.seen, now=now, skew_s=self.skew_s
        )
        if broken is None and self.is_punctual:
            broken = _late_expiry(effect, now)
        if broken:
            raise InvariantBroken(broken, run_id)
        self._moved_at[run_id] = now
        if fact.deadline is not None:
            self._pages_of_input[input_key(run_id, fact.cause)].add((run_id, page_of(index)))

    def run_written(self, effect: e.WriteRun, now: float) -> None:
        """Check a run right after it was written."""
        self.writes += 1
        run = effect.new
        snapshot, _ = self._run(run.id)
        if effect.seen is None:
            self._check_reused_results(snapshot, now)
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
        if effect.seen is not None and run.rev > effect.seen.rev:
            self._moved_at[run.id] = now  # it was reopened
        if (
            self.is_punctual
            and run.status == "error"
            and now - self._moved_at[run.id] > RUN_END_DELAY_MAX_S
        ):
            raise InvariantBroken("nothing was live any more, but the run did not end", run.id)

    def _check_reused_results(self, snapshot: RunSnapshot, now: float) -> None:
        for task in snapshot.plan.tasks:
            if task.reuses is None:
                continue
            fact = self.store.read_task(task.reuses.run_id, task.reuses.index)
            oldest = RESULT_AGE_MAX_S + self.skew_s + PAUSE_MAX_S
            if fact is None or not fact.is_completed or now - fact.dispatched_at > oldest:
                raise InvariantBroken(
                    f"{task.name} reuses what did not complete, or is too old", snapshot.run.id
                )

    # --- acknowledgements -----------------------------------------------------------------------
    def acknowledged(self, key: str, run_id: str, page: int | None) -> None:
        """Check that what an input wrote is guarded by something else, now that it is handled."""
        left = self.unacknowledged[key] = self.unacknowledged[key] - 1
        pages = set(self._pages_of_input.get(key, ()))
        if left <= 0:
            del self.unacknowledged[key]
            self._pages_of_input.pop(key, None)
        if page is not None:
            pages.add((run_id, page))
        for written in pages:
            self._check_guarded(written)

    def _check_guarded(self, written: Page) -> None:
        run_id, page = written
        snapshot, run = self._run(run_id)
        facts = self.store._tasks[run_id]
        broken: str | None = None

        def is_pending(cause: str) -> bool:
            return self._is_pending(run_id, cause)

        if run.is_over:
            broken = invariants.alive_though_over(snapshot, run, facts, is_pending)
        elif written not in self.unreliable_pages:
            timers = self.page_timers[written]
            broken = invariants.unguarded(
                snapshot,
                facts,
                page,
                timers,
                self._checks_under_way(run_id, page),
                is_pending,
                now=self.now(),
                skew_s=self.skew_s,
            )
        if broken:
            raise InvariantBroken(broken, run_id)

    def _checks_under_way(self, run_id: str, page: int) -> list[float]:
        """When the overdue checks of a page that are under way were asked for."""
        prefix = f"{run_id}overdue:{page}:"
        return [float(key[len(prefix) :]) for key in self.unacknowledged if key.startswith(prefix)]

    # --- publications ---------------------------------------------------------------------------
    def published(self, message: Message) -> None:
        """Check a message that cerebro put on the bus."""
        self.messages += 1
        if message.meta is not None and message.meta.id is not None:
            self.published_ids.add(message.meta.id)
        if type(message) is RunTask:
            self.sent.add((message.run_id, message.task, message.attempt))
            snapshot, _ = self._run(message.run_id)
            self._check_cause(snapshot, message)
            _check_outputs(snapshot, message)

    def _check_cause(self, snapshot: RunSnapshot, command: RunTask) -> None:
        fact = self.store.read_task(command.run_id, snapshot.plan.index_of[command.task])
        if fact is None or fact.attempt < command.attempt:
            raise InvariantBroken(
                f"{command.task} was sent before its attempt was written", command.run_id
            )
        is_as_dispatched = fact.attempt == command.attempt and fact.rank == Rank.PENDING
        if is_as_dispatched and input_key(command.run_id, fact.cause) != self.current_input:
            raise InvariantBroken(
                f"{command.task} was sent by an input that did not dispatch it", command.run_id
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
            broken = invariants.at_rest(snapshot, run, facts) or self._unpublished(
                snapshot, run, facts
            )
            if broken:
                raise InvariantBroken(broken, run_id)

    def _unpublished(
        self, snapshot: RunSnapshot, run: Run, facts: dict[int, TaskRun]
    ) -> str | None:
        state = "completed" if run.status == "completed" else "error"
        if derived_id("RunStateChanged", run.id, state, run.rev) not in self.published_ids:
            return f"the run is {run.status}, but that was not published"
        for index, fact in facts.items():
            name = snapshot.plan.tasks[index].name
            if fact.timeline[-1].by == CEREBRO and (
                fact.rank in FAILED_RANKS or fact.rank == Rank.CANCELLED
            ):
                state, reason = STATE_OF[fact.rank], fact.reason or ""
                update_id = derived_id(
                    "TaskStateChanged", "cerebro", run.id, name, fact.attempt, state, reason
                )
                if update_id not in self.published_ids:
                    return f"{name} is {fact.reason}, but that was not published"
            was_cancelled = (
                fact.rank == Rank.CANCELLED and (run.id, name, fact.attempt) in self.sent
            )
            cancel_id = derived_id("CancelTask", run.id, name, fact.attempt)
            if was_cancelled and cancel_id not in self.published_ids:
                return f"{name} was sent and cancelled, but no CancelTask was published"
        return None

    def _run(self, run_id: str) -> tuple[RunSnapshot, Run]:
        snapshot, run = self.store.read_run_snapshot(run_id), self.store.read_run(run_id)
        assert snapshot is not None
        assert run is not None
        return snapshot, run

    def _is_pending(self, run_id: str, cause: str) -> bool:
        return input_key(run_id, cause) in self.unacknowledged


def _check_outputs(snapshot: RunSnapshot, command: RunTask) -> None:
    upstream = snapshot.plan.tasks[snapshot.plan.index_of[command.task]].upstream
    names = [snapshot.plan.tasks[index].name for index in upstream]
    if list(command.upstream) != names or not all(
        str(command.upstream[name]).startswith(name) for name in names
    ):
        raise InvariantBroken(
            f"{command.task} was sent without its upstreams' outputs: {command.upstream}",
            command.run_id,
        )


def _late_expiry(effect: e.WriteTask, now: float) -> str | None:
    seen, new = effect.seen, effect.new
    if seen is None or seen.deadline is None or new.rank == seen.rank:
        return None
    is_by_clock = new.attempt > seen.attempt or new.rank in EXPIRY_REASON
    late_s = now - seen.deadline
    if not is_by_clock or late_s <= EXPIRY_DELAY_MAX_S:
        return None
    return f"a deadline was kept {late_s:.1f} s too late"


def summary(effect: Any) -> str:
    """An effect in a few words, for the trace."""
    match effect:
        case e.WriteTask(_, index, new, _):
            rank = Rank(new.rank).name.lower()
            return f"task {index}: attempt {new.attempt} {rank} {new.reason or ''}".rstrip()
        case e.WriteRun(new, _):
            return f"{new.status}{' failing' if new.failing else ''} rev {new.rev}"
        case e.SendPageTimer(timer):
            return f"page {timer.page}"
        case e.Publish(messages):
            return ", ".join(type(message).__name__ for message in messages)
    return ""

"""Watch: looks at every step of a world and says at once when an invariant broke.

Law: it only looks. What it knows beside the store is what is on its way: unacknowledged inputs, and rings.
"""

from collections import defaultdict
from typing import Any, Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core import effects as e
from cerebro.core import invariants
from cerebro.core.model import STATE_OF, Rank, Run, RunSnapshot, TaskRun, page_of
from cerebro.core.run.transitions import EXPIRY_REASON
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.ids import CEREBRO, derived_id

Page = tuple[str, int]

OLDEST_S: Final = 300.0
"""What a scenario lets be reused at most."""

LATEST_RING_S: Final = 2.0
LATEST_END_S: Final = 5.0

PAUSED_S: Final = 7200.0
"""For how long a handler may sleep between its look at the results and its write."""


class InvariantBroken(Exception):
    """An invariant broke: what, and in which run."""

    def __init__(self, law: str, run_id: str = "") -> None:
        super().__init__(law)
        self.law, self.run_id = law, run_id


def cause_key(run_id: str, cause: str) -> str:
    """Names an input among those of all runs: a ring's id is only its own run's."""
    return run_id + cause if cause.startswith("ring:") else cause


class Checker:
    """`skew_s`: by how much any clock may differ from the true time. `is_punctual`: nothing holds anything up in this world."""

    def __init__(self, store: MemoryStore, skew_s: float, *, is_punctual: bool = False) -> None:
        self.store, self.skew_s, self.is_punctual = store, skew_s, is_punctual
        self.speaker = ""
        """The input that is being handled."""
        self._moved_at: dict[str, float] = {}
        self.unacknowledged: defaultdict[str, int] = defaultdict(int)
        self.rings: defaultdict[Page, list[float]] = defaultdict(list)
        self.unreliable: set[Page] = set()
        """Pages of which a ring was lost for good: only the sweep guards them."""
        self.told: set[str] = set()
        self.sent: set[tuple[str, str, int]] = set()
        self.ended_at: dict[str, float] = {}
        self.writes = self.messages = 0
        self._touched: defaultdict[str, set[Page]] = defaultdict(set)

    def task_written(self, effect: e.WriteTask, now: float) -> None:
        """A fact was put; called right after."""
        self.writes += 1
        run_id, index, fact = effect.run_id, effect.index, effect.new
        snapshot, run = self._run(run_id)
        facts = self.store._tasks[run_id]
        broken = invariants.of_task(
            snapshot, run, facts, index, effect.seen, now=now, skew_s=self.skew_s
        )
        if broken is None and self.is_punctual:
            broken = _late(effect, now)
        if broken:
            raise InvariantBroken(broken, run_id)
        self._moved_at[run_id] = now
        if fact.deadline is not None:
            self._touched[cause_key(run_id, fact.cause)].add((run_id, page_of(index)))

    def run_written(self, effect: e.WriteRun, now: float) -> None:
        """A run was put; called right after."""
        self.writes += 1
        run = effect.new
        snapshot, _ = self._run(run.id)
        if effect.seen is None:
            self._reuses_rightly(snapshot, now)
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
            self._moved_at[run.id] = now  # it was opened again
        if run.is_over:
            self.ended_at[run.id] = now
            if (
                self.is_punctual
                and run.status == "error"
                and now - self._moved_at[run.id] > LATEST_END_S
            ):
                raise InvariantBroken("nothing was live any more, but the run went on", run.id)

    def _reuses_rightly(self, snapshot: RunSnapshot, now: float) -> None:
        for task in snapshot.plan.tasks:
            if task.reuses is not None:
                fact = self.store.read_task(task.reuses.run_id, task.reuses.index)
                if (
                    fact is None
                    or not fact.is_completed
                    or now - fact.dispatched_at > OLDEST_S + self.skew_s + PAUSED_S
                ):
                    raise InvariantBroken(
                        f"{task.name} reuses what did not complete, or is too old", snapshot.run.id
                    )

    def acknowledged(self, key: str, run_id: str, page: int | None) -> None:
        """An input was handled for good: what it wrote must be guarded by somebody else now."""
        left = self.unacknowledged[key] = self.unacknowledged[key] - 1
        pages = set(self._touched.get(key, ()))
        if left <= 0:
            del self.unacknowledged[key]
            self._touched.pop(key, None)
        if page is not None:
            pages.add((run_id, page))
        for touched in pages:
            self._is_guarded(touched)

    def _is_guarded(self, touched: Page) -> None:
        run_id, page = touched
        snapshot, run = self._run(run_id)
        facts = self.store._tasks[run_id]
        broken: str | None = None

        def pending(cause: str) -> bool:
            return self._is_pending(run_id, cause)

        if run.is_over:
            broken = invariants.alive_though_over(snapshot, run, facts, pending)
        elif touched not in self.unreliable:
            broken = invariants.unguarded(snapshot, facts, page, self.rings[touched], pending)
        if broken:
            raise InvariantBroken(broken, run_id)

    def published(self, message: Message) -> None:
        """Cerebro put a message on the bus."""
        self.messages += 1
        if message.meta is not None and message.meta.id is not None:
            self.told.add(message.meta.id)
        if type(message) is RunTask:
            self.sent.add((message.run_id, message.task, message.attempt))
            snapshot, _ = self._run(message.run_id)
            self._sent_by_its_cause(snapshot, message)
            upstream = snapshot.plan.tasks[snapshot.plan.index_of[message.task]].upstream
            names = [snapshot.plan.tasks[index].name for index in upstream]
            if list(message.upstream) != names or not all(
                str(message.upstream[name]).startswith(name) for name in names
            ):
                raise InvariantBroken(
                    f"{message.task} was sent without its upstreams' outputs: {message.upstream}",
                    message.run_id,
                )

    def _sent_by_its_cause(self, snapshot: RunSnapshot, command: RunTask) -> None:
        fact = self.store.read_task(command.run_id, snapshot.plan.index_of[command.task])
        if fact is None or fact.attempt < command.attempt:
            raise InvariantBroken(
                f"{command.task} was sent before its attempt was kept", command.run_id
            )
        is_as_dispatched = fact.attempt == command.attempt and fact.rank == Rank.PENDING
        if is_as_dispatched and cause_key(command.run_id, fact.cause) != self.speaker:
            raise InvariantBroken(
                f"{command.task} was sent by an input that did not dispatch it", command.run_id
            )

    def at_rest(self, *, is_live: bool) -> None:
        """Nothing is on its way any more. `is_live`: the nets are there that let every run end."""
        for run_id in list(self.store._runs):
            snapshot, run = self._run(run_id)
            if run.status == "running" and not is_live:
                continue
            facts = self.store._tasks[run_id]
            broken = invariants.at_rest(snapshot, run, facts) or self._untold(snapshot, run, facts)
            if broken:
                raise InvariantBroken(broken, run_id)

    def _untold(self, snapshot: RunSnapshot, run: Run, facts: dict[int, TaskRun]) -> str | None:
        state = "completed" if run.status == "completed" else "error"
        if derived_id("RunStateChanged", run.id, state, run.rev) not in self.told:
            return f"the run is {run.status}, and nobody was told"
        for index, fact in facts.items():
            name = snapshot.plan.tasks[index].name
            last = fact.timeline[-1]
            if last.by == CEREBRO and fact.rank in (Rank.ERROR, Rank.CANCELLED):
                state, reason = STATE_OF[fact.rank], fact.reason or ""
                if (
                    derived_id(
                        "TaskStateChanged", "cerebro", run.id, name, fact.attempt, state, reason
                    )
                    not in self.told
                ):
                    return f"{name} is {fact.reason}, and nobody was told"
            if fact.rank == Rank.CANCELLED and (run.id, name, fact.attempt) in self.sent:
                if derived_id("CancelTask", run.id, name, fact.attempt) not in self.told:
                    return f"{name} was sent and cancelled, and its server was not told"
        return None

    def _run(self, run_id: str) -> tuple[RunSnapshot, Run]:
        snapshot, run = self.store.read_run_snapshot(run_id), self.store.read_run(run_id)
        assert snapshot is not None
        assert run is not None
        return snapshot, run

    def _is_pending(self, run_id: str, cause: str) -> bool:
        return cause_key(run_id, cause) in self.unacknowledged


def _late(effect: e.WriteTask, now: float) -> str | None:
    """Every clock is kept to two seconds."""
    seen, new = effect.seen, effect.new
    is_by_clock = (
        seen is not None
        and (new.attempt > seen.attempt or new.reason in EXPIRY_REASON.values())
        and new.rank != seen.rank
    )
    if (
        seen is None
        or seen.deadline is None
        or not is_by_clock
        or now - seen.deadline <= LATEST_RING_S
    ):
        return None
    return f"a clock was kept {now - seen.deadline:.1f} s too late"


def about(effect: Any) -> str:
    """An effect in a few words, for the history."""
    match effect:
        case e.WriteTask(_, index, new, _):
            return f"task {index}: attempt {new.attempt} {Rank(new.rank).name.lower()} {new.reason or ''}".rstrip()
        case e.WriteRun(new, _):
            return f"{new.status}{' failing' if new.failing else ''} rev {new.rev}"
        case e.SendPageTimer(ring):
            return f"page {ring.page}"
        case e.Publish(messages):
            return ", ".join(type(message).__name__ for message in messages)
    return ""


__all__ = ["CancelTask", "Checker", "InvariantBroken", "about", "cause_key"]

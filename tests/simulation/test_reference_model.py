"""Reference model: cerebro against a model of a run that is obviously right, in any order of
anything.

The model is a dictionary for each task and no protocol: it knows no messages, timers or crashes.
Whatever hypothesis does to cerebro (updates in any order, duplicates, crashes at any effect, time,
commands), both must show the same run.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cerebro.core.model.task_run import TaskRun
from cordyna_core.contract.envelope import Envelope
from world.scenarios import ReactionWorld, a_world

GRAPHS = ("a", "a  b<-a", "a  b  c<-a,b", "a  b<-a  c<-a  d<-b,c", "a  b  c<-a  d<-b,c  e<-d")
ACK_S, START_S, RUN_S = 10.0, 600.0, 1800.0
RANKS = (
    "waiting",
    "dispatched",
    "ack_timeout",
    "queued",
    "start_timeout",
    "started",
    "run_timeout",
    "failed",
    "completed",
    "cancelled",
)
TIMEOUT_OF = {"dispatched": "ack_timeout", "queued": "start_timeout", "started": "run_timeout"}
FAILED = ("ack_timeout", "start_timeout", "run_timeout", "failed")
DECIDED_WITHIN_S = 1.5
"""A deadline is decided with the next check of its page."""


@dataclass
class Task:
    """One task of the model. `due`: when its clock expires or its back-off ends."""

    upstream: tuple[str, ...]
    retries: int
    state: str = "waiting"
    attempt: int = 0
    budget: int = 0
    dispatched_at: float = 0.0
    due: float | None = None

    @property
    def waits_for_retry(self) -> bool:
        return self.state in FAILED and self.due is not None


@dataclass
class Model:
    """One run of the model."""

    tasks: dict[str, Task]
    is_cancelled: bool = False
    sent: set[tuple[str, int]] = field(default_factory=set)

    def dispatch(self, name: str, now: float, *, is_new_budget: bool) -> None:
        task = self.tasks[name]
        task.attempt += 1
        task.state, task.dispatched_at, task.due = "dispatched", now, now + ACK_S
        if is_new_budget:
            task.budget = task.attempt + task.retries
        self.sent.add((name, task.attempt))

    def dispatch_ready(self, now: float) -> None:
        """Dispatch every task whose upstreams have all completed."""
        for name, task in self.tasks.items():
            if (
                task.state == "waiting"
                and not self.is_cancelled
                and all(self.tasks[up].state == "completed" for up in task.upstream)
            ):
                self.dispatch(name, now, is_new_budget=True)

    def update(self, name: str, attempt: int, state: str, now: float) -> None:
        task = self.tasks[name]
        if attempt == task.attempt and RANKS.index(state) > RANKS.index(task.state):
            self.enter(task, state, now)
        self.dispatch_ready(now)

    def enter(self, task: Task, state: str, now: float) -> None:
        task.state, task.due = state, None
        if state == "queued":
            task.due = max(now, task.dispatched_at + ACK_S) + START_S
        elif state == "started":
            task.due = now + RUN_S
        elif state in FAILED and task.attempt < task.budget:
            task.due = now + back_off_min_s(task.attempt)

    def is_dead(self) -> bool:
        return all(task.due is None for task in self.tasks.values())


def back_off_min_s(attempt: int) -> float:
    """A back-off is up to a quarter longer, which a hash decides."""
    return 5.0 * float(2 ** (attempt - 1))


class ReferenceMachine(RuleBasedStateMachine):
    """Does the same to cerebro and to the model, and compares."""

    world: ReactionWorld
    model: Model

    @initialize(graph=st.sampled_from(GRAPHS), retries=st.integers(0, 2))
    def invoke(self, graph: str, retries: int) -> None:
        self.world = a_world(graph, every={"retries": retries})
        words = [word.partition("<-") for word in graph.split()]
        tasks = {
            name: Task(tuple(up for up in upstream.split(",") if up), retries)
            for name, _, upstream in words
        }
        self.model = Model(tasks)
        self.world.invoke(words[-1][0], key="k")
        self.reported: list[Envelope] = []
        self.model.dispatch_ready(self.world.now)

    @rule(
        data=st.data(),
        state=st.sampled_from(["queued", "started", "completed", "error"]),
        crash_after=st.none() | st.integers(0, 25),
    )
    def report(self, data: st.DataObject, state: str, crash_after: int | None) -> None:
        known = [name for name, task in self.model.tasks.items() if task.attempt]
        name = data.draw(st.sampled_from(known))
        attempt = data.draw(st.integers(1, self.model.tasks[name].attempt))
        update = self.world.update(name, state, attempt=attempt)
        self.reported.append(update)
        if crash_after is not None:
            self.world.driver.crash(update, after=crash_after)
        self.world.handle(update)
        self.model.update(name, attempt, "failed" if state == "error" else state, self.world.now)
        self.learn_back_offs()

    @precondition(lambda self: self.reported)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        self.world.handle(data.draw(st.sampled_from(self.reported)))

    @rule(seconds=st.sampled_from([1.0, 5.0, 11.0, 61.0, 601.0, 1801.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.world.after(seconds)
        while any(
            fact.deadline is not None and fact.deadline <= self.world.now for fact in self.facts()
        ):
            self.world.after(1.0)
        while due := [
            (task.due, name)
            for name, task in self.model.tasks.items()
            if task.due is not None and task.due <= self.world.now
        ]:
            self.decide(min(due)[1])

    def decide(self, name: str) -> None:
        """Let the model do what was due, at the time at which cerebro did it."""
        task = self.model.tasks[name]
        assert task.due is not None
        if task.waits_for_retry:
            at = self.entry_at(name, task.attempt + 1, "dispatched")
            assert 0 <= at - task.due <= back_off_min_s(task.attempt) / 4 + DECIDED_WITHIN_S
            self.model.dispatch(name, at, is_new_budget=False)
        else:
            reason = TIMEOUT_OF[task.state]
            at = self.entry_at(name, task.attempt, reason)
            assert 0 <= at - task.due <= DECIDED_WITHIN_S
            self.model.enter(task, reason, at)
        self.learn_back_offs()

    def entry_at(self, name: str, attempt: int, reason: str) -> float:
        """When cerebro wrote an entry into the timeline of a task."""
        (at,) = (
            entry.at
            for entry in self.world.fact(name).timeline
            if (entry.attempt, entry.reason) == (attempt, reason)
        )
        return at

    def learn_back_offs(self) -> None:
        """Read how long a back-off is, which a hash decides, if the task still waits."""
        for name, task in self.model.tasks.items():
            if not task.waits_for_retry:
                continue
            fact = self.world.fact(name)
            assert task.due is not None
            if fact.attempt == task.attempt and fact.deadline is not None:
                assert task.due <= fact.deadline <= task.due + back_off_min_s(task.attempt) / 4
                task.due = fact.deadline

    def facts(self) -> Iterable[TaskRun]:
        return self.world.store.read_page(self.world.run_id, 0).values()

    @rule()
    def retry(self) -> None:
        for name, task in self.model.tasks.items():
            if task.state in FAILED and task.due is None and not self.model.is_cancelled:
                self.model.dispatch(name, self.world.now, is_new_budget=True)
        self.world.retry(command_id=f"r{len(self.world.published)}")

    @rule(happens=st.sampled_from([False, False, False, True]))
    def cancel(self, happens: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
        if not happens or list(self.model.tasks.values())[-1].state == "completed":
            return
        self.model.is_cancelled = True
        for task in self.model.tasks.values():
            if task.due is not None:
                task.state, task.due = "cancelled", None
        self.world.cancel()

    @invariant()
    def tasks_are_equal(self) -> None:
        for view in self.world.run().tasks:
            task = self.model.tasks[view.task]
            if self.model.is_cancelled and task.state == "waiting":
                # Cancelled by derivation, or written and cancelled by a later completion.
                assert view.state != "completed"
                assert not view.attempt or view.reason == "cancelled"
                continue
            assert view.attempt == task.attempt, view.task
            if task.waits_for_retry:
                assert view.reason == "retry_wait", view.task
            else:
                assert _as_model(view.state, view.reason, view.attempt) == task.state, view.task
            if task.attempt:
                assert self.world.fact(view.task).deadline == task.due, view.task
        assert set(self.world.sent) == self.model.sent

    @invariant()
    def runs_are_equal(self) -> None:
        run = self.world.run()
        target = list(self.model.tasks.values())[-1]
        if self.model.is_cancelled:
            assert run.cancelled
        elif target.state == "completed":
            assert run.state == "completed"
        elif self.model.is_dead():
            assert run.state in ("failing", "error")
            assert self.world.after(5).run().state == "error"
        else:
            assert run.state in ("running", "failing")


def _as_model(state: str, reason: str | None, attempt: int) -> Any:
    if not attempt:
        return "waiting"
    if state == "error":
        return reason if reason in {"cancelled", *TIMEOUT_OF.values()} else "failed"
    return "dispatched" if reason == "dispatched" else state


TestReference = ReferenceMachine.TestCase
IS_FULL = os.environ.get("SIM") == "full"
TestReference.settings = settings(
    max_examples=3000 if IS_FULL else 50,
    derandomize=not IS_FULL,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)

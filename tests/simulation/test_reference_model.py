"""Reference model: cerebro against a model of a run that is obviously right, in any order of
anything.

The model is a dictionary for each task and no protocol: it knows no messages, timers or crashes.
Whatever hypothesis does to cerebro (updates in any order, duplicates, crashes at any effect, time,
commands), both must show the same run.
"""

import os
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cordyna_core.contract.envelope import Envelope
from world.scenarios import ReactionWorld, a_world

GRAPHS = ("a", "a  b<-a", "a  b  c<-a,b", "a  b<-a  c<-a  d<-b,c", "a  b  c<-a  d<-b,c  e<-d")
CLOCKS_S = {"dispatched": 10.0, "queued": 600.0, "started": 1800.0}
RANKS = ("waiting", "dispatched", "queued", "started", "failed", "completed", "cancelled")
UNTIL_BACK_OFF_KNOWN = -1.0


@dataclass
class Task:
    """One task of the model."""

    upstream: tuple[str, ...]
    retries: int
    state: str = "waiting"
    attempt: int = 0
    budget: int = 0
    due: float | None = None


@dataclass
class Model:
    """One run of the model.

    How long a failed task waits is decided by a hash, so it is read from cerebro.
    """

    tasks: dict[str, Task]
    now: float
    is_cancelled: bool = False
    sent: set[tuple[str, int]] = field(default_factory=set)

    def dispatch(self, name: str, *, is_new_budget: bool) -> None:
        task = self.tasks[name]
        task.attempt += 1
        task.state, task.due = "dispatched", self.now + CLOCKS_S["dispatched"]
        if is_new_budget:
            task.budget = task.attempt + task.retries
        self.sent.add((name, task.attempt))

    def dispatch_ready(self) -> None:
        """Dispatch every task whose upstreams have all completed."""
        for name, task in self.tasks.items():
            if (
                task.state == "waiting"
                and not self.is_cancelled
                and all(self.tasks[up].state == "completed" for up in task.upstream)
            ):
                self.dispatch(name, is_new_budget=True)

    def update(self, name: str, attempt: int, state: str) -> None:
        task = self.tasks[name]
        if attempt == task.attempt and RANKS.index(state) > RANKS.index(task.state):
            task.state = state
            task.due = self.now + CLOCKS_S[state] if state in CLOCKS_S else None
            if state == "failed" and attempt < task.budget:
                task.due = UNTIL_BACK_OFF_KNOWN
        self.dispatch_ready()

    def expire(self, name: str) -> None:
        task = self.tasks[name]
        if task.state == "failed":
            self.dispatch(name, is_new_budget=False)
        else:
            task.state = "failed"
            task.due = UNTIL_BACK_OFF_KNOWN if task.attempt < task.budget else None

    def is_dead(self) -> bool:
        return all(task.due is None for task in self.tasks.values())


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
        self.model = Model(tasks, self.world.now)
        self.world.invoke(words[-1][0], key="k")
        self.reported: list[Envelope] = []
        self.model.dispatch_ready()

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
        self.model.update(name, attempt, "failed" if state == "error" else state)
        self.read_back_offs()

    @precondition(lambda self: self.reported)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        self.world.handle(data.draw(st.sampled_from(self.reported)))

    @rule(seconds=st.sampled_from([1.0, 5.0, 11.0, 61.0, 601.0, 1801.0]))
    def let_time_pass(self, seconds: float) -> None:
        until = self.world.now + seconds
        while due := [
            (task.due, name)
            for name, task in self.model.tasks.items()
            if task.due is not None and task.due <= until
        ]:
            next_due = min(due)[0]
            self.world.after(next_due - self.world.now)
            self.model.now = self.world.now
            for deadline, name in due:
                if deadline == next_due:
                    self.model.expire(name)
            self.read_back_offs()
        self.world.after(until - self.world.now)
        self.model.now = self.world.now

    def read_back_offs(self) -> None:
        for name, task in self.model.tasks.items():
            if task.state == "failed" and task.due == UNTIL_BACK_OFF_KNOWN:
                task.due = self.world.fact(name).deadline
                assert task.due is not None, f"{name} has attempts left, but waits for none"

    @rule()
    def retry(self) -> None:
        for name, task in self.model.tasks.items():
            if task.state == "failed" and task.due is None and not self.model.is_cancelled:
                self.model.dispatch(name, is_new_budget=True)
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
            self.model.now = self.world.now
        else:
            assert run.state in ("running", "failing")


def _as_model(state: str, reason: str | None, attempt: int) -> Any:
    if not attempt:
        return "waiting"
    if state == "error":
        return "cancelled" if reason == "cancelled" else "failed"
    return {"dispatched": "dispatched", "retry_wait": "failed"}.get(reason or "", state)


TestReference = ReferenceMachine.TestCase
IS_FULL = os.environ.get("SIM") == "full"
TestReference.settings = settings(
    max_examples=3000 if IS_FULL else 50,
    derandomize=not IS_FULL,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)

"""Reference: the whole of cerebro against a model of a run that is obviously right, in any order of anything.

The model is a dictionary per task and no protocol: it knows no messages, no rings, no crashes. Whatever hypothesis does to the
real thing (words in any order, duplicates, crashes at any effect, time, commands), both must show the same run.
"""

import os
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cordyna_core.contract.envelope import Envelope
from rules.scene import Scene, a_graph

GRAPHS = ("a", "a  b<-a", "a  b  c<-a,b", "a  b<-a  c<-a  d<-b,c", "a  b  c<-a  d<-b,c  e<-d")
CLOCKS = {"dispatched": 10.0, "queued": 600.0, "started": 1800.0}
ORDER = ("waiting", "dispatched", "queued", "started", "failed", "completed", "cancelled")


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
    """One run of the model. `back_off`: how long a failed task waits, which a hash decides, is read off the real one."""

    tasks: dict[str, Task]
    now: float
    is_cancelled: bool = False
    sent: set[tuple[str, int]] = field(default_factory=set)

    def dispatch(self, name: str, *, is_new_budget: bool) -> None:
        task = self.tasks[name]
        task.attempt += 1
        task.state, task.due = "dispatched", self.now + CLOCKS["dispatched"]
        if is_new_budget:
            task.budget = task.attempt + task.retries
        self.sent.add((name, task.attempt))

    def go_on(self) -> None:
        """Whatever waits only for what completed is dispatched."""
        for name, task in self.tasks.items():
            if (
                task.state == "waiting"
                and not self.is_cancelled
                and all(self.tasks[up].state == "completed" for up in task.upstream)
            ):
                self.dispatch(name, is_new_budget=True)

    def hear(self, name: str, attempt: int, state: str) -> None:
        task = self.tasks[name]
        if attempt == task.attempt and ORDER.index(state) > ORDER.index(task.state):
            task.state = state
            task.due = (
                None
                if state == "completed"
                else self.now + CLOCKS[state]
                if state in CLOCKS
                else None
            )
            if state == "failed" and attempt < task.budget:
                task.due = -1.0  # it waits for its retry; until when is read off
        self.go_on()

    def is_dead(self) -> bool:
        return all(task.due is None for task in self.tasks.values())


class ReferenceMachine(RuleBasedStateMachine):
    """Does anything to both, and compares."""

    scene: Scene
    model: Model

    @initialize(graph=st.sampled_from(GRAPHS), retries=st.integers(0, 2))
    def begin(self, graph: str, retries: int) -> None:
        self.scene = a_graph(graph, every={"retries": retries})
        words = [word.partition("<-") for word in graph.split()]
        tasks = {
            name: Task(tuple(up for up in upstream.split(",") if up), retries)
            for name, _, upstream in words
        }
        self.model = Model(tasks, self.scene.now)
        self.scene.run_id = self.scene.invokes(words[-1][0], key="k")
        self.said: list[Envelope] = []
        self.model.go_on()

    @rule(
        data=st.data(),
        state=st.sampled_from(["queued", "started", "completed", "error"]),
        crash=st.none() | st.integers(0, 25),
    )
    def a_server_says(self, data: st.DataObject, state: str, crash: int | None) -> None:
        known = [name for name, task in self.model.tasks.items() if task.attempt]
        name = data.draw(st.sampled_from(known))
        attempt = data.draw(st.integers(1, self.model.tasks[name].attempt))
        word = self.scene.word(name, state, attempt=attempt)
        self.said.append(word)
        if crash is not None:
            self.scene.crashes(word, after=crash)
        self.scene.hears(word)
        self.model.hear(name, attempt, "failed" if state == "error" else state)
        self.read_off_back_offs()

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def a_word_is_heard_again(self, data: st.DataObject) -> None:
        self.scene.hears(data.draw(st.sampled_from(self.said)))

    @rule(seconds=st.sampled_from([1.0, 5.0, 11.0, 61.0, 601.0, 1801.0]))
    def time_passes(self, seconds: float) -> None:
        until = self.scene.now + seconds
        while due := [
            (task.due, name)
            for name, task in self.model.tasks.items()
            if task.due is not None and task.due <= until
        ]:
            self.scene.after(min(due)[0] - self.scene.now)
            self.model.now = self.scene.now
            for _, name in [each for each in due if each[0] == min(due)[0]]:
                self.a_clock_runs_out(name)
            self.read_off_back_offs()
        self.scene.after(until - self.scene.now)
        self.model.now = self.scene.now

    def a_clock_runs_out(self, name: str) -> None:
        task = self.model.tasks[name]
        if task.state == "failed":
            self.model.dispatch(name, is_new_budget=False)
        else:
            task.state, task.due = "failed", -1.0 if task.attempt < task.budget else None

    def read_off_back_offs(self) -> None:
        for name, task in self.model.tasks.items():
            if task.state == "failed" and task.due == -1.0:
                task.due = self.scene.fact(name).deadline
                assert task.due is not None, f"{name} has attempts left and does not wait for one"

    @rule()
    def somebody_retries(self) -> None:
        for name, task in self.model.tasks.items():
            if task.state == "failed" and task.due is None and not self.model.is_cancelled:
                self.model.dispatch(name, is_new_budget=True)
        self.scene.retries(command_id=f"r{len(self.scene.told)}")

    @rule(is_sure=st.sampled_from([False, False, False, True]))
    def somebody_cancels(self, is_sure: bool) -> None:
        if not is_sure or list(self.model.tasks.values())[-1].state == "completed":
            return
        self.model.is_cancelled = True
        for task in self.model.tasks.values():
            if task.due is not None:
                task.state, task.due = "cancelled", None
        self.scene.cancels()

    @invariant()
    def both_show_the_same_tasks(self) -> None:
        for view in self.scene.run().tasks:
            task = self.model.tasks[view.task]
            if self.model.is_cancelled and task.state == "waiting":
                # Cancelled by derivation, or put and cancelled at once by a completion that came later; never sent.
                assert view.state != "completed"
                assert not view.attempt or view.reason == "cancelled"
                continue
            assert view.attempt == task.attempt, view.task
            assert _as_model(view.state, view.reason, view.attempt) == task.state, view.task
            if task.attempt:
                assert self.scene.fact(view.task).deadline == task.due, view.task
        assert set(self.scene.sent) == self.model.sent

    @invariant()
    def both_show_the_same_run(self) -> None:
        run = self.scene.run()
        target = list(self.model.tasks.values())[-1]
        if self.model.is_cancelled:
            assert run.cancelled
        elif target.state == "completed":
            assert run.state == "completed"
        elif self.model.is_dead():
            assert run.state in ("failing", "error")
            assert self.scene.after(5).run().state == "error"
            self.model.now = self.scene.now
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

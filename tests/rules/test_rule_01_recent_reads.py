"""Rule 1, where a store shows a moment ago: nothing is concluded from what may be older."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.model.task_run import TaskRun
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import CLIENT, run_id_of
from cordyna_core.errors import Fatal
from world.scenarios import ReactionWorld, a_run

STATES = ("queued", "started", "error", "completed")


class LaggingStore:
    """A store whose recent reads are `behind` versions old; 1: the one before the last write."""

    def __init__(self, store: Any, behind: int) -> None:
        self._store, self._behind = store, behind
        self._facts: dict[int, list[TaskRun]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write_task(self, run_id: str, index: int, new: TaskRun, seen: TaskRun | None) -> Any:
        stored = self._store.write_task(run_id, index, new, seen)
        if stored is None:
            self._facts.setdefault(index, []).append(new)
        return stored

    def read_recent_task(self, run_id: str, index: int) -> TaskRun | None:
        versions = [None, *self._facts.get(index, [])]
        return versions[max(0, len(versions) - 1 - self._behind)]

    def read_recent_run(self, run_id: str) -> None:
        return None


def lagging(world: ReactionWorld, behind: int = 1) -> ReactionWorld:
    store: Any = LaggingStore(world.driver.store, behind)
    world.driver.ports = replace(world.driver.ports, store=store)
    return world


@given(
    reported=st.lists(st.tuples(st.sampled_from(STATES), st.integers(1, 3)), max_size=8),
    behind=st.integers(0, 5),
)
def test_lagging_reads_end_in_the_same_state(reported: list[tuple[str, int]], behind: int) -> None:
    """Each update is of an attempt that was sent, or a dead letter in both worlds."""
    retries = {"a": {"retries": 2}}
    one, other = a_run("a  b<-a", declared=retries), a_run("a  b<-a", declared=retries)
    lagging(other, behind)
    for state, attempt in reported:
        dead = [False, False]
        for place, world in enumerate((one, other)):
            try:
                world.report("a", state, attempt=attempt)
            except Fatal:
                dead[place] = True
            world.after(7)
        assert dead[0] == dead[1]
        assert one.fact("a") == other.fact("a")
        assert one.sent == other.sent


def test_update_before_its_fact_is_visible_is_no_dead_letter() -> None:
    world = lagging(a_run("a  b<-a"), behind=9)
    world.report("a", "completed")
    assert world.state_of("b") == "pending dispatched"


def test_duplicate_of_an_older_state_repeats_no_effects_of_it() -> None:
    """Attempt 1 failed and attempt 2 runs: a second report of the failure retries nothing."""
    world = lagging(a_run("a", declared={"a": {"retries": 1}}))
    failure = world.report("a", "error")
    world.after(7)
    sent = list(world.sent)
    world.handle(failure)
    assert (world.sent, world.fact("a").attempt) == (sent, 2)


@pytest.fixture
def invoked() -> ReactionWorld:
    return lagging(a_run("a  b<-a"))


def test_command_whose_run_is_not_visible_is_answered_by_it(invoked: ReactionWorld) -> None:
    command = InvokeTask(task="b", key="again")
    for _ in range(2):
        invoked.publish(command, CLIENT)
    assert invoked.run(run_id_of("b", "again", CLIENT)).state == "running"
    assert invoked.sent == [("a", 1), ("a", 1)]


def test_removed_task_whose_run_is_not_visible_is_not_refused(invoked: ReactionWorld) -> None:
    command = InvokeTask(task="b", key="again")
    invoked.publish(command, CLIENT)
    invoked.declare("s", "a", revision=1)
    invoked.publish(command, CLIENT)
    assert invoked.problems == []
    invoked.publish(InvokeTask(task="b", key="later"), CLIENT)
    assert invoked.problems == ["unknown_task"]

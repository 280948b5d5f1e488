"""Rule 17: whatever crashes, and wherever: runs of several pages, parts, groups and joins.

A history is played without a crash, then with a crash before one of its effects, for each third
effect. Each ends as without a crash.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cerebro.core.model.task_run import Rank
from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.commands import RetryRun
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.state_updates import RunStateChanged, TaskStateChanged
from world.crashing import CrashingWorld

MIDDLE = "abcde"
TASKS = "r  " + "  ".join(f"{name}<-r" for name in MIDDLE) + f"  z<-{','.join(MIDDLE)}"


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with sizes(Sizes(page=2, fan_out=2, awaited=3, commands=2, decisions=2)):
        yield


def invoke(world: CrashingWorld) -> None:
    world.invoke("z", key="k")
    world.serve(25)


def invoke_and_retry(world: CrashingWorld) -> None:
    invoke(world)
    world.retry(command_id="retry")
    world.serve(25)


def invoke_and_rerun(world: CrashingWorld) -> None:
    invoke(world)
    rerun = RetryRun(run_id=world.run_id, command_id="rerun", from_=["a", "e"], downstream=True)
    world.publish(rerun, CLIENT)
    world.serve(25)


def invoke_and_cancel(world: CrashingWorld) -> None:
    world.invoke("z", key="k")
    world.serve(2)
    world.cancel(command_id="cancel")
    world.serve(25)


def invoke_and_heal(world: CrashingWorld) -> None:
    """Two tasks expire, the run ends in error, and they complete after that."""
    invoke(world)
    for task in "be":
        world.report(task, "completed", attempt=1, output=f"{task}1")
    world.serve(25)


@dataclass(frozen=True)
class History:
    play: Callable[[CrashingWorld], None]
    replies: dict[tuple[str, int], tuple[str, ...]]
    status: str
    retries: int = 0


def replies(tasks: str, *states: str, attempt: int = 1) -> dict[tuple[str, int], tuple[str, ...]]:
    return {(task, attempt): states for task in tasks}


HISTORIES = {
    "all complete": History(invoke, {}, "completed"),
    "all are silent once": History(invoke, replies(MIDDLE), "completed", retries=1),
    "all fail once": History(invoke, replies(MIDDLE, "error"), "completed", retries=1),
    "two fail": History(invoke, replies("be", "started", "error"), "error"),
    "two are silent": History(invoke, replies("be"), "error"),
    "two fail and are retried": History(invoke_and_retry, replies("be", "error"), "completed"),
    "two are silent and heal": History(invoke_and_heal, replies("be"), "completed"),
    "two run again": History(invoke_and_rerun, {}, "completed"),
    "two run and are cancelled": History(invoke_and_cancel, replies("ad", "started"), "cancelled"),
}


def played(history: History, *, crash_after: int) -> CrashingWorld:
    every: dict[str, Any] = {"every": {"retries": history.retries}}
    world = CrashingWorld(TASKS, history.replies, crash_after=crash_after, **every)
    history.play(world)
    return world


def summary(world: CrashingWorld) -> dict[str, Any]:
    """What a crash must not change."""
    run = world.run()
    end = [message for message in world.published if isinstance(message, RunStateChanged)][-1]
    return {
        "states": world.states(),
        "attempts": {task.task: task.attempt for task in run.tasks},
        "outputs": {task.task: task.output for task in run.tasks},
        "sent": sorted(set(world.sent)),
        "commands": world.stored_run().commands,
        "end": (end.state, sorted(cause.task for cause in end.root_causes), end.blocked),
        "answers": {
            (command.task, command.attempt): command.upstream for command in world.commands
        },
    }


def ended_at(world: CrashingWorld) -> float:
    ends = [message for message in world.published if isinstance(message, RunStateChanged)]
    assert ends[-1].meta is not None
    assert ends[-1].meta.time is not None
    return ends[-1].meta.time.timestamp()


def check_published(world: CrashingWorld) -> None:
    """What cerebro decided was published, and every cancelled attempt has been told to stop."""
    published = {
        (message.task, message.attempt, message.reason)
        for message in world.published
        if isinstance(message, TaskStateChanged)
    }
    for task in world.run().tasks:
        for entry in task.timeline:
            if entry.reason in ("ack_timeout", "cancelled", "retry_wait"):
                assert (task.task, entry.attempt, entry.reason) in published
    facts = [
        fact for page in range(5) for fact in world.store.read_page(world.run_id, page).items()
    ]
    assert not [index for index, fact in facts if fact.is_live]
    cancelled = [fact for _, fact in facts if fact.rank == Rank.CANCELLED]
    assert len(cancelled) <= len(set(world.cancelled))


@pytest.mark.parametrize("name", HISTORIES)
def test_history_ends_as_without_a_crash(name: str) -> None:
    history = HISTORIES[name]
    whole = played(history, crash_after=-1)
    expected = summary(whole)
    assert whole.stored_run().status == history.status
    check_published(whole)
    for crash_after in range(len(name) % 3, whole.driver.effects, 3):
        world = played(history, crash_after=crash_after)
        assert summary(world) == expected, crash_after
        assert ended_at(world) <= ended_at(whole), f"{crash_after}: only a timer repaired it"
        check_published(world)

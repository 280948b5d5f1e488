"""Rules 7 and 8: two commands at the same time, on runs of several pages.

One is paused after each of its effects, or its handler crashes and it is delivered again; the other
is handled in between. Whatever the order: each is answered, a cancellation is final, and without
one the run completes. That both are delivered again changes nothing.
"""

from collections.abc import Callable, Iterator

import pytest

from cerebro.core.model.task_run import Rank
from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)
from world.scenarios import ReactionWorld, a_run

EFFECTS_MAX = 120
TASKS = "a  b  c  d  e<-a,b,c,d  f<-e"


@pytest.fixture(autouse=True)
def _small_pages() -> Iterator[None]:
    with sizes(Sizes(page=2, fan_out=2, commands=2)):
        yield


def failed_run() -> ReactionWorld:
    """A run on three pages: b and d failed, and it has ended in error."""
    return a_run(TASKS, a="completed", b="error", c="completed", d="error").after(5)


def failing_run() -> ReactionWorld:
    """The same, while c still runs."""
    return a_run(TASKS, a="completed", b="error", c="started", d="error")


def completed_run() -> ReactionWorld:
    done = "completed"
    return a_run(TASKS, a=done, b=done, c=done, d=done, e=done, f=done)


def cancel(world: ReactionWorld) -> Message:
    return CancelRun(run_id=world.run_id, command_id="cancel")


def other_cancel(world: ReactionWorld) -> Message:
    return CancelRun(run_id=world.run_id, command_id="other cancel")


def retry(world: ReactionWorld) -> Message:
    return world.retry_command(command_id="retry")


def other_retry(world: ReactionWorld) -> Message:
    return world.retry_command("d", command_id="other retry")


def rerun(world: ReactionWorld) -> Message:
    return RetryRun(run_id=world.run_id, command_id="rerun", from_=["a", "b", "d"], downstream=True)


def other_rerun(world: ReactionWorld) -> Message:
    return RetryRun(run_id=world.run_id, command_id="other", from_=["b"], downstream=True)


Command = Callable[[ReactionWorld], Message]
Start = Callable[[], ReactionWorld]

CASES: list[tuple[Start, Command, Command]] = [
    (failed_run, retry, cancel),
    (failed_run, cancel, retry),
    (failing_run, retry, cancel),
    (failing_run, cancel, retry),
    (failing_run, cancel, cancel),
    (failing_run, cancel, other_cancel),
    (failed_run, retry, retry),
    (failed_run, retry, other_retry),
    (failed_run, other_retry, retry),
    (failed_run, rerun, cancel),
    (failed_run, rerun, rerun),
    (failed_run, rerun, retry),
    (failed_run, retry, rerun),
    (completed_run, rerun, rerun),
    (completed_run, rerun, other_rerun),
    (completed_run, rerun, cancel),
]

every_case = pytest.mark.parametrize(
    ("start", "first", "second"), CASES, ids=lambda part: part.__name__
)


def id_of(command: Envelope) -> str | None:
    assert isinstance(command.message, CancelRun | RetryRun)
    return command.message.command_id


def answers_to(world: ReactionWorld, command: Envelope) -> set[str]:
    """The answers to a command: the state of its run, or the codes of a refusal.

    A consumer drops what has an id that it knows, so only the first of each id counts.
    """
    answers: set[str] = set()
    first_of_each_id = {
        message.meta.id: message for message in reversed(world.published) if message.meta
    }
    for message in first_of_each_id.values():
        if isinstance(message, InvocationRejected) and message.event_id == command.id:
            answers.update(problem.code for problem in message.problems)
        is_caused = message.meta is not None and message.meta.cause == command.id
        if isinstance(message, RunStateChanged) and is_caused:
            answers.add(message.state)
    return answers


def complete_all(world: ReactionWorld) -> None:
    """Let the servers complete every attempt that they were sent, until nothing is under way."""
    while True:
        live = [
            task
            for task in world.run().tasks
            if task.state in ("pending", "started") and (task.task, task.attempt) in world.sent
        ]
        if not live:
            return
        for task in live:
            world.reach(task.task, "completed", attempt=task.attempt)
        world.after(4)


def check(world: ReactionWorld, *commands: Envelope) -> None:
    answered = [command for command in commands if answers_to(world, command)]
    assert {id_of(command) for command in answered} == {id_of(command) for command in commands}
    run = world.stored_run()
    facts = [fact for page in range(3) for fact in world.store.read_page(run.id, page).items()]
    if run.status == "cancelled":
        for command in commands:
            if isinstance(command.message, RetryRun):
                assert answers_to(world, command) <= {"running", "failing", "run_cancelled"}
        names = [task.task for task in world.run().tasks]
        cancelled = {
            (names[index], fact.attempt) for index, fact in facts if fact.rank == Rank.CANCELLED
        }
        announced = {
            (message.task, message.attempt)
            for message in world.published
            if isinstance(message, TaskStateChanged) and message.reason == "cancelled"
        }
        assert not [index for index, fact in facts if fact.is_live]
        assert cancelled <= set(world.cancelled)
        assert cancelled == announced
        return
    assert run.status == "completed"
    for task in world.run().tasks:
        assert (task.task, task.attempt) in world.sent


def in_between(
    start: Start, first: Command, second: Command, effects: int, *, crashes: bool
) -> bool:
    """Handle the second command after so many effects of the first. Returns whether it had them."""
    world = start()
    paused = world.envelope(first(world), CLIENT)
    between = world.envelope(second(world), CLIENT)
    resume = world.driver.begin(paused, effects=effects)
    world.handle(between)
    has_paused = crashes or resume(EFFECTS_MAX) > 0
    try:
        for again in ([paused], [between, paused]) if crashes else ([], [between, paused]):
            for command in again:
                world.handle(command)
            complete_all(world)
            check(world, paused, between)
    except AssertionError as broken:
        raise AssertionError(f"after {effects} effects: {broken}") from broken
    return has_paused


@every_case
def test_command_paused_over_another_is_answered(
    start: Start, first: Command, second: Command
) -> None:
    for effects in range(1, EFFECTS_MAX):
        if not in_between(start, first, second, effects, crashes=False):
            return
    raise AssertionError("the first command did not end")


@every_case
def test_command_crashed_before_another_is_answered(
    start: Start, first: Command, second: Command
) -> None:
    for effects in range(1, 30, 3):
        in_between(start, first, second, effects, crashes=True)

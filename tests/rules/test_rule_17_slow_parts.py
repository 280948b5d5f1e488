"""Rule 17: no message dispatches for long, however wide a fan-out is and however slow calls are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from cerebro.core.internal_messages import FanOut, PageTimer
from cerebro.core.run.fan_out import PART_MAX_S
from cerebro.handlers.receive import program_of
from cerebro.shell import perform
from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.ids import CLIENT, run_id_of
from world.reactions import Reactions
from world.reuse import fresh
from world.world import Delivered, World

CALL_S = 0.2
LAST_TASK_AND_GROUP_S = 3.0
"""A part ends within this time after it has begun its last task."""


class SlowStore:
    """A store whose every call takes `call_s` of its driver's time."""

    def __init__(self, driver: "SlowReactions") -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._driver.store, name)

        def slow(*arguments: Any, **options: Any) -> Any:
            self._driver.now += self._driver.call_s
            if name == "read_tasks":
                self._driver.reads.append(len(arguments[1]))
            return method(*arguments, **options)

        return slow


class SlowReactions(Reactions):
    """Notes how long each message took, and how many facts each read asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.call_s = 0.0
        self.took: list[tuple[Delivered, float]] = []
        self.reads: list[int] = []
        slow: Any = SlowStore(self)
        self.ports = replace(self.ports, store=slow)

    def handle(self, message: Delivered) -> None:
        began, program = self.now, program_of(message)
        assert program is not None
        perform(program, self.ports)
        self.took.append((message, self.now - began))
        while self._to_itself:
            self.handle(self._to_itself.pop(0))


SlowWorld = World[SlowReactions]


def a_slow_run(tasks: str, *, completed: str = "", **fields: Any) -> SlowWorld:
    """The last task is invoked, and calls are slow from then on."""
    world = World(SlowReactions())
    world.declare("s", tasks, **fields)
    world.invoke([word.partition("<-")[0] for word in tasks.split()][-1], key="k")
    for task in completed:
        world.reach(task, "completed")
    be_slow(world)
    return world


def be_slow(world: SlowWorld, call_s: float = CALL_S) -> None:
    world.driver.call_s = call_s
    world.driver.took.clear()


def names(count: int) -> list[str]:
    return [f"w{number}" for number in range(count)]


def fan(count: int, *, needs: str = "a") -> str:
    """`count` tasks that need `needs`, and one that needs them all."""
    wide = names(count)
    return "  ".join([f"{name}<-{needs}" for name in wide] + [f"z<-{','.join(wide)}"])


def assert_each_is_sent_once(world: SlowWorld, tasks: Sequence[str]) -> None:
    sent = Counter(task for task, _ in world.sent)
    assert {task: sent[task] for task in tasks} == dict.fromkeys(tasks, 1)


def assert_no_message_takes_long(world: SlowWorld) -> None:
    longest = max(seconds for _, seconds in world.driver.took)
    assert longest <= PART_MAX_S + LAST_TASK_AND_GROUP_S


@pytest.mark.parametrize("width", [250, 40])
def test_slow_fan_out_is_handed_on_in_time(width: int) -> None:
    with sizes(Sizes(fan_out=width)):
        world = a_slow_run("a  " + fan(100))
        world.reach("a", "completed")
        assert_each_is_sent_once(world, names(100))
        assert_no_message_takes_long(world)
        parts = [message for message, _ in world.driver.took if isinstance(message, FanOut)]
        assert len({part.start for part in parts}) == len(parts) >= 3


def test_slow_invocation_hands_on_its_roots() -> None:
    world = World(SlowReactions())
    world.declare("s", "  ".join(names(100)) + f"  z<-{','.join(names(100))}")
    be_slow(world)
    world.invoke("z", key="k")
    assert_each_is_sent_once(world, names(100))
    assert_no_message_takes_long(world)


@pytest.mark.parametrize("call_s", [CALL_S, 10.0, 60.0])
def test_part_begins_a_task_however_slow_calls_are(call_s: float) -> None:
    """Otherwise it would hand on the same tasks for ever."""
    world = a_slow_run("a  b<-a  c<-a  d<-a  z<-b,c,d", run_timeout_s=10_000)
    world.driver.call_s = call_s
    world.reach("a", "completed")
    assert_each_is_sent_once(world, "bcd")


def test_what_a_join_leads_to_is_handed_on_in_time() -> None:
    """The join completes in the part that has no time for what is behind it."""
    with sizes(Sizes(awaited=2, commands=1, part_s=0.0)):
        world = a_slow_run("a  b  c  d  " + fan(5, needs="a,b,c,d"), completed="abc")
        world.reach("d", "completed")
        assert_each_is_sent_once(world, names(5))


def test_tasks_behind_a_wide_reused_result_have_messages() -> None:
    users = {name: {"upstream": [fresh("a")]} for name in names(8)}
    world = World(SlowReactions())
    world.declare("s", "a  " + fan(8), **users)
    run_id = world.invoke("a")
    world.driver.handle(world.update("a", "completed", run_id=run_id))
    with sizes(Sizes(fan_out=3)):
        world.driver.took.clear()
        world.run_id = ""
        world.invoke("z", key="k")
    assert_each_is_sent_once(world, names(8))
    starts = [message.start for message, _ in world.driver.took if isinstance(message, FanOut)]
    assert starts == [0, 3, 6]


def test_tasks_behind_reused_results_are_handed_on() -> None:
    world = World(SlowReactions())
    roots = names(6)
    users = {f"x{number}": {"upstream": [fresh(root)]} for number, root in enumerate(roots)}
    tasks = "  ".join([*roots, *(f"{x}<-w{n}" for n, x in enumerate(users))])
    world.declare("s", f"{tasks}  z<-{','.join(users)}", **users)
    for root in roots:
        run_id = world.invoke(root)
        world.driver.handle(world.update(root, "completed", run_id=run_id))
    be_slow(world)
    with sizes(Sizes(commands=1, part_s=0.0)):
        world.run_id = ""
        world.invoke("z", key="k")
    assert_each_is_sent_once(world, list(users))


@pytest.mark.parametrize("part_s", [0.0, PART_MAX_S])
@pytest.mark.parametrize("facts_per_read", [1, 7, 1_000])
def test_slow_repair_is_handed_on_in_time(part_s: float, facts_per_read: int) -> None:
    with sizes(Sizes(commands=1, part_s=part_s, facts_per_read=facts_per_read)):
        world = a_slow_run("a  " + fan(60), run_timeout_s=10_000)
        world.driver.crash_once(
            world.update("a", "completed"), lambda: world.state_of("a") == "completed"
        )
        be_slow(world)
        world.handle(PageTimer(world.run_id, 0, world.now))
        assert_each_is_sent_once(world, names(60))
        assert_no_message_takes_long(world)


def test_repair_of_what_was_dispatched_reads_it_in_parts() -> None:
    """A page of completions may have 64,000 tasks downstream, all dispatched long ago."""
    with sizes(Sizes(page=1, facts_per_read=4)):
        world = a_slow_run("a  " + fan(30), completed="a")
        world.driver.reads.clear()
        sent = len(world.sent)
        world.handle(PageTimer(world.run_id, 0, world.now))
        assert len(world.sent) == sent
        assert max(world.driver.reads) == 4
        assert sum(world.driver.reads) == 30


def test_timer_of_a_failed_run_reads_in_parts() -> None:
    with sizes(Sizes(page=1, facts_per_read=4)):
        world = a_slow_run("a  b<-a  " + fan(30), completed="a")
        for name in names(30):
            world.report(name, "error")
        world.after(10)
        assert world.run().state == "error"
        world.driver.reads.clear()
        world.handle(PageTimer(world.run_id, 0, world.now))
        assert max(world.driver.reads) == 4
        assert sum(world.driver.reads) == 30


def test_slow_rerun_sends_all_that_it_names() -> None:
    wide = names(8)
    with sizes(Sizes(commands=1, part_s=0.0)):
        world = a_slow_run("  ".join(wide) + f"  z<-{','.join(wide)}")
        for task in (*wide, "z"):
            world.reach(task, "completed")
        world.publish(RetryRun(run_id=world.run_id, from_=wide, downstream=True), CLIENT)
        assert [task for task, attempt in world.sent if attempt == 2] == wide


@pytest.mark.parametrize("after", range(40))
def test_crashed_part_loses_nothing_that_it_leaves(after: int) -> None:
    """A crash at any effect: what is delivered again dispatches and hands on what is left."""
    with sizes(Sizes(awaited=2, commands=1, part_s=0.0)):
        world = a_slow_run("a  b  c  d  " + fan(3, needs="a,b,c,d") + "  y<-d,z", completed="abc")
        world.report("d", "started")
        update = world.update("d", "completed")
        world.driver.crash(update, after=after)
        world.handle(update)
        assert {task for task, _ in world.sent} >= {"w0", "w1", "w2"}
        assert {attempt for _, attempt in world.sent} == {1}


@pytest.mark.parametrize("after", range(30))
def test_crashed_part_of_a_message_is_done_again(after: int) -> None:
    with sizes(Sizes(commands=1, part_s=0.0)):
        world = a_world_with_crashed_roots()
        message = FanOut(world.run_id, None, 1, "k")
        world.driver.crash(message, after=after)
        world.handle(message)
        assert {task for task, _ in world.sent} == {"c", "d"}


def a_world_with_crashed_roots() -> SlowWorld:
    """An invocation that crashed when it had stored its run."""
    world = World(SlowReactions())
    world.declare("s", "b  c  d  z<-b,c,d")
    world.run_id = run_id_of("z", "k", CLIENT)
    command = world.envelope(InvokeTask(task="z", key="k"), CLIENT)
    world.driver.crash_once(command, lambda: world.store.read_run(world.run_id) is not None)
    be_slow(world)
    return world

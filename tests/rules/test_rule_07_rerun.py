"""Rule 7: RetryRun with `downstream` runs completed tasks again (docs/rules.md, rule 7)."""

import pytest

from cordyna_core.contract.commands import RetryRun, RunTask
from cordyna_core.contract.ids import CLIENT
from world.scenarios import ReactionWorld, a_run, a_world

HOUR_S = 3600


def rerun(world: ReactionWorld, *tasks: str, command_id: str | None = None) -> None:
    world.publish(rerun_command(world, *tasks, command_id=command_id), CLIENT)


def rerun_command(world: ReactionWorld, *tasks: str, command_id: str | None = None) -> RetryRun:
    return RetryRun(run_id=world.run_id, command_id=command_id, from_=list(tasks), downstream=True)


def a_completed_run() -> ReactionWorld:
    """A run of d<-b,c with b<-a and c, in which each task returned its name and attempt."""
    world = a_run("a  b<-a  c  d<-b,c")
    for task in "acbd":
        world.reach(task, "completed", output=f"{task}1")
    assert world.run().state == "completed"
    return world


def command_of(world: ReactionWorld, task: str, attempt: int) -> RunTask:
    return next(c for c in world.commands if (c.task, c.attempt) == (task, attempt))


def test_rerun_begins_named_task_and_lets_downstream_wait() -> None:
    world = a_completed_run()
    rerun(world, "b")
    assert world.states() == {
        "a": "completed",
        "c": "completed",
        "b": "pending dispatched",
        "d": "pending waiting",
    }
    assert (world.fact("b").attempt, world.fact("d").attempt) == (2, 2)
    assert world.run().state == "running"


def test_rerun_gives_downstream_the_new_output() -> None:
    world = a_completed_run()
    rerun(world, "b")
    world.reach("b", "completed", output="b2")
    assert command_of(world, "d", 2).upstream == {"b": "b2", "c": "c1"}
    world.reach("d", "completed", output="d2")
    assert world.run().state == "completed"
    assert world.task("d").output == "d2"


def test_rerun_keeps_what_is_not_downstream() -> None:
    world = a_completed_run()
    rerun(world, "b")
    world.reach("b", "completed")
    assert world.sent[4:] == [("b", 2), ("d", 2)]


def test_rerun_of_failed_run_waits_for_both_upstreams() -> None:
    world = a_run("a  b  c<-a,b", a="completed", b="error").after(5)
    rerun(world, "a", "b")
    world.reach("a", "completed", output="a2")
    assert world.state_of("c") == "pending waiting"
    world.reach("b", "completed", output="b2")
    assert command_of(world, "c", 1).upstream == {"a": "a2", "b": "b2"}


def test_waiting_task_of_rerun_is_blocked_by_failure() -> None:
    world = a_completed_run()
    rerun(world, "b")
    world.reach("b", "error")
    assert world.state_of("d") == "pending blocked"
    assert world.task("d").blocked_by == ["b"]
    assert world.after(5).run().state == "error"


def test_rerun_dispatches_nothing_before_upstream_is_new() -> None:
    """A handler that read the old upstreams finds a waiting fact, and reads them again."""
    for effects in range(1, 12):
        world = a_run("a  b  c<-a,b", a="completed", b="started")
        update = world.report("b", "completed")
        world.reach("c", "completed")
        resume = world.driver.begin(update, effects=effects)
        rerun(world, "a")
        resume(100)
        assert ("c", 2) not in world.sent, effects
        world.reach("a", "completed", output="a2")
        assert command_of(world, "c", 2).upstream["a"] == "a2", effects


def test_rerun_through_joins_runs_the_target_again() -> None:
    tasks = " ".join(f"t{n}" for n in range(120))
    world = a_run(f"{tasks} z<-{','.join(tasks.split())}")
    for task in tasks.split():
        world.report(task, "completed", output=f"{task} 1")
    world.report("z", "completed")
    rerun(world, "t7")
    world.report("t7", "completed", output="t7 2")
    command = command_of(world, "z", 2)
    assert (command.upstream["t7"], command.upstream["t8"]) == ("t7 2", "t8 1")
    facts = {n: world.store.read_task(world.run_id, n) for n in range(120, 122)}
    joins = [fact.attempt for fact in facts.values() if fact is not None]
    assert joins == [2, 1], "the join of t7 completes in the attempt that the rerun began"
    world.report("z", "completed")
    assert world.run().state == "completed"


def test_rerun_gives_named_task_a_new_budget() -> None:
    world = a_run("a  b<-a", declared={"every": {"retries": 1}}, a="completed", b="completed")
    rerun(world, "a")
    assert world.fact("a").attempts_allowed == 3
    world.report("a", "error")
    assert world.after(13).sent[-1] == ("a", 3)


def test_repeated_rerun_acts_once() -> None:
    world = a_completed_run()
    command = world.envelope(rerun_command(world, "b", command_id="r"), CLIENT)
    world.handle(command)
    world.reach("b", "completed")
    sent = list(world.sent)
    world.handle(command)
    assert world.sent == sent
    assert world.stored_run().commands == ("r",)


def test_rerun_paused_while_other_delivery_acts_acts_once() -> None:
    """It reads a page before the run, so what another delivery began is not begun once more."""
    for paused in range(1, 40):
        world = a_completed_run()
        command = world.envelope(rerun_command(world, "b", command_id="r"), CLIENT)
        resume = world.driver.begin(command, effects=paused)
        world.handle(command)
        world.reach("b", "completed", output="b2")
        world.reach("d", "completed", output="d2")
        resume(100)
        assert world.run().state == "completed", paused
        assert [world.fact(task).attempt for task in "bd"] == [2, 2], paused


def test_rerun_crashed_anywhere_and_repeated_acts_once() -> None:
    for steps in range(1, 80):
        world = a_completed_run()
        command = world.envelope(rerun_command(world, "b", command_id="r"), CLIENT)
        done = world.driver.crash(command, after=steps)
        world.handle(command)
        world.reach("b", "completed", output="b2")
        world.reach("d", "completed", output="d2")
        assert world.run().state == "completed", steps
        assert sorted(set(world.sent[4:])) == [("b", 2), ("d", 2)], steps
        if done < steps:
            return
    raise AssertionError("the rerun did not end within 80 effects")


def test_stale_completion_does_not_end_a_rerun() -> None:
    """The handler that completed the target is paused before it ends the run."""
    world = a_run("a  b<-a", a="completed", b="started")
    update = world.update("b", "completed")
    resume = world.driver.begin(update, effects=6)
    assert world.fact("b").is_completed
    world.handle(update)
    assert world.run().state == "completed"
    rerun(world, "a")
    resume(100)
    assert world.run().state == "running"


def test_rerun_of_running_run_is_refused() -> None:
    world = a_run("a  b<-a", a="completed")
    rerun(world, "a")
    assert world.problems == ["run_not_over"]


def test_rerun_without_tasks_is_refused() -> None:
    world = a_completed_run()
    rerun(world)
    assert world.problems == ["downstream_without_from"]


def test_rerun_of_cancelled_run_is_refused() -> None:
    world = a_run("a  b<-a", a="completed")
    world.cancel()
    rerun(world, "a")
    assert world.problems == ["run_cancelled"]


def test_rerun_of_reused_result_is_refused() -> None:
    upstream = [{"task": "a", "within_s": HOUR_S}]
    world = a_world("a  b<-a", b={"upstream": upstream})
    for _ in range(2):
        world.run_id = world.invoke("b")
        for task in ("a", "b"):
            if world.state_of(task) != "completed reused":
                world.reach(task, "completed")
    rerun(world, "a")
    assert world.problems == ["result_was_reused"]


def test_rerun_cancelled_meanwhile_is_refused() -> None:
    for steps in range(1, 50):
        world = a_run("a  b<-a", a="completed", b="error").after(5)
        command = world.envelope(rerun_command(world, "a", command_id="r"), CLIENT)
        resume = world.driver.begin(command, effects=steps)
        world.cancel(command_id="c")
        rest = resume(200)
        assert world.run().cancelled
        assert not any(fact.is_live for fact in (world.fact("a"), world.fact("b"))), steps
        if rest == 0:
            return
    raise AssertionError("the rerun did not end within 50 effects")


@pytest.mark.parametrize("task", ["a", "d"])
def test_view_of_cancelled_rerun_shows_no_waiting_task(task: str) -> None:
    world = a_completed_run()
    rerun(world, "a")
    world.cancel()
    assert world.state_of(task) == "error cancelled"


def test_rerun_given_up_again_and_again_is_finished() -> None:
    """A function has a minute: each delivery continues where the one before was given up."""
    names = [f"t{n}" for n in range(40)]
    world = a_run("t0 " + " ".join(f"{name}<-t{n}" for n, name in enumerate(names[1:])))
    for name in names:
        world.reach(name, "completed")
    command = world.envelope(rerun_command(world, "t0", command_id="r"), CLIENT)
    for _ in range(10):
        world.driver.crash(command, after=30)
    assert [world.fact(name).attempt for name in names] == [2] * len(names)
    world.handle(command)
    assert set(world.sent[len(names) :]) == {("t0", 2)}

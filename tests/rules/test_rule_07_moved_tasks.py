"""Rule 7: a task that another server owns now is not run again (docs/rules.md, rule 7)."""

from cordyna_core.contract.commands import RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT
from world.scenarios import ReactionWorld, a_run


def rerun_of(world: ReactionWorld, task: str) -> Envelope:
    rerun = RetryRun(run_id=world.run_id, command_id="r", from_=[task], downstream=True)
    return world.envelope(rerun, CLIENT)


def move(world: ReactionWorld, task: str, *, others: str) -> None:
    """Let another server take a task over."""
    world.declare("s", others)
    world.declare("t", task)


def test_retry_of_two_tasks_is_refused_if_the_second_moved() -> None:
    world = a_run("a  b  c<-a,b", a="error", b="error").after(5)
    move(world, "b", others="a  c<-a")
    world.retry("a", "b")
    assert world.problems == ["task_moved"]
    assert world.sent == [("a", 1), ("b", 1)]


def test_rerun_is_refused_if_something_downstream_moved() -> None:
    world = a_run("a  b<-a  c<-b", a="completed", b="completed", c="completed")
    move(world, "c", others="a  b<-a")
    world.handle(rerun_of(world, "a"))
    assert world.problems == ["task_moved"]


def test_rerun_above_a_task_that_is_declared_no_more_runs() -> None:
    world = a_run("a  b<-a  c<-b", a="completed", b="completed", c="completed")
    world.declare("s", "a")
    world.handle(rerun_of(world, "a"))
    assert world.problems == []
    assert world.sent[-1] == ("a", 2)


def test_rerun_begun_before_a_task_moved_is_finished() -> None:
    world = a_run("a  b<-a  c<-b", a="completed", b="completed", c="completed")
    rerun = rerun_of(world, "a")
    world.driver.crash_once(rerun, lambda: world.fact("a").is_waiting)
    move(world, "c", others="a  b<-a")
    world.handle(rerun)
    assert world.problems == []
    assert world.sent[-1] == ("a", 2)

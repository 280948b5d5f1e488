"""Rule 4: a failure blocks only what is downstream of it (docs/rules.md, rule 4)."""

import pytest

from world.scenarios import a_run


def test_task_not_downstream_of_failure_still_runs() -> None:
    world = a_run("a  b  c<-b  d<-a,c", a="error", b="completed")
    assert world.state_of("c") == "pending dispatched"
    world.reach("c", "completed")
    assert world.state_of("d") == "pending blocked"


def test_blocked_task_names_root_cause_only() -> None:
    world = a_run("a  b<-a  c<-b", a="error")
    assert world.state_of("b") == "pending blocked"
    assert world.state_of("c") == "pending blocked"
    assert world.task("c").blocked_by == ["a"]


def test_blocked_task_names_both_root_causes() -> None:
    world = a_run("a  b  c<-a,b", a="error", b="error")
    assert world.task("c").blocked_by == ["a", "b"]


def test_blocked_task_has_no_fact() -> None:
    world = a_run("a  b<-a  c<-b", a="error")
    assert list(world.store.read_page(world.run_id, 0)) == [0]


def test_heal_of_cause_unblocks_downstream() -> None:
    world = a_run("a  b<-a  c<-b", a="error")
    world.report("a", "completed")
    assert world.state_of("b") == "pending dispatched"
    assert world.state_of("c") == "pending waiting"


def test_run_is_failing_while_other_tasks_run() -> None:
    world = a_run("a  b  c<-a,b", a="error", b="started")
    assert world.run().state == "failing"
    assert world.after(60).run().state == "failing"


@pytest.mark.parametrize(
    ("message", "end"),
    [("no such day.", "day."), ("is it up?", "up?"), ("no such day", "day."), ("", "ValueError.")],
)
def test_reason_of_a_failure_ends_with_one_mark(message: str, end: str) -> None:
    world = a_run("a", a="started")
    world.report("a", "error", error={"type": "ValueError", "message": message})

    (task,) = world.run().tasks
    assert task.why.endswith(f" {end}")
    assert not task.why.endswith((f".{end[-1]}", f"?{end[-1]}"))

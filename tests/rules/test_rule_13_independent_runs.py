"""Rule 13: each run runs its own closure (docs/rules.md, rule 13)."""

from world.scenarios import a_run, a_world


def test_two_runs_of_one_task_each_run_its_closure() -> None:
    world = a_world("a  b<-a")
    world.invoke("b")
    world.invoke("b")
    assert world.sent == [("a", 1), ("a", 1)]


def test_failure_in_one_run_leaves_other_run_alone() -> None:
    world = a_run("a  b<-a", a="error")
    other = world.invoke("b")
    world.after(5)
    assert world.run().state == "error"
    assert world.state_of("a", other) == "pending dispatched"


def test_same_key_is_same_run() -> None:
    world = a_world("a")
    first, again = world.invoke("a", key="same"), world.invoke("a", key="same")
    assert first == again
    assert world.sent == [("a", 1)]


def test_same_key_with_other_task_is_refused() -> None:
    world = a_world("a  b")
    world.invoke("a", key="same")
    world.invoke("b", key="same")
    assert world.problems == ["key_reused"]


def test_same_key_with_other_params_is_refused() -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string"}}}
    world = a_world("a", a={"params_schema": schema})
    world.invoke("a", key="same", params={"day": "monday"})
    world.invoke("a", key="same", params={"day": "sunday"})
    assert world.problems == ["key_reused"]

"""Rule 13: each run runs its own closure; the same key is the same run."""

from rules.scene import a_graph, a_run


def test_two_runs_of_one_task_both_run_all_of_it() -> None:
    scene = a_graph("a  b<-a")
    scene.invokes("b")
    scene.invokes("b")
    assert scene.sent == [("a", 1), ("a", 1)]


def test_a_failure_in_one_run_does_not_touch_the_other() -> None:
    scene = a_run("a  b<-a", a="error")
    other = scene.invokes("b")
    scene.after(5)
    assert scene.run().state == "error"
    assert scene.is_at("a", other) == "pending dispatched"


def test_the_same_key_is_the_same_run() -> None:
    scene = a_graph("a")
    first, again = scene.invokes("a", key="same"), scene.invokes("a", key="same")
    assert first == again
    assert scene.sent == [("a", 1)]


def test_the_same_key_with_another_task_is_refused() -> None:
    scene = a_graph("a  b")
    scene.invokes("a", key="same")
    scene.invokes("b", key="same")
    assert scene.problems == ["key_reused"]


def test_the_same_key_with_other_params_is_refused() -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string"}}}
    scene = a_graph("a", a={"params_schema": schema})
    scene.invokes("a", key="same", params={"day": "monday"})
    scene.invokes("a", key="same", params={"day": "sunday"})
    assert scene.problems == ["key_reused"]

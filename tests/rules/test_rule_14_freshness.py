"""Rule 14: a completed result that is fresh enough is reused; age counts from its dispatch; declaration and params match."""

from typing import Any

from rules.scene import Scene, a_graph

HOUR = 3600
FRESH: dict[str, Any] = {"b": {"upstream": [{"task": "a", "within_s": 6 * HOUR}]}}


def run_through(scene: Scene, task: str, *names: str, **more: Any) -> str:
    scene.run_id = scene.invokes(task, **more)
    for name in names:
        scene.comes_to(name, "completed", output=f"{name}'s")
    return scene.run_id


def test_a_fresh_result_is_reused_and_its_output_handed_on() -> None:
    scene = a_graph("a  b<-a", **FRESH)
    run_through(scene, "b", "a", "b")
    scene.after(HOUR)
    scene.run_id = scene.invokes("b")
    assert scene.is_at("a") == "completed reused"
    assert scene.sent[2:] == [("b", 1)]
    assert scene.told[-1].upstream == {"a": "a's"}  # type: ignore[attr-defined]


def test_a_result_that_is_too_old_is_not() -> None:
    scene = a_graph("a  b<-a", **FRESH)
    run_through(scene, "b", "a", "b")
    scene.after(6 * HOUR + 1)
    scene.run_id = scene.invokes("b")
    assert scene.is_at("a") == "pending dispatched"


def test_age_counts_from_dispatch_and_not_from_completion() -> None:
    scene = a_graph("a  b<-a", **FRESH)
    scene.run_id = scene.invokes("b")
    scene.says("a", "started")
    scene.after(20 * 60)
    scene.says("a", "completed")
    scene.after(6 * HOUR - 10 * 60)
    scene.run_id = scene.invokes("b")
    assert scene.is_at("a") == "pending dispatched"


def test_an_edge_without_fresh_wants_a_new_result() -> None:
    scene = a_graph("a  b<-a")
    run_through(scene, "b", "a", "b")
    scene.run_id = scene.invokes("b")
    assert scene.is_at("a") == "pending dispatched"


def test_what_only_a_reused_task_needs_is_not_run() -> None:
    scene = a_graph("z  a<-z  b<-a", **FRESH)
    run_through(scene, "b", "z", "a", "b")
    scene.run_id = scene.invokes("b")
    assert [task.task for task in scene.run().tasks] == ["a", "b"]


def test_a_task_that_is_itself_reused_does_not_ask_for_a_new_result_of_its_upstream() -> None:
    both: dict[str, Any] = {
        "c": {"upstream": [{"task": "a", "within_s": HOUR}, {"task": "b", "within_s": HOUR}]}
    }
    scene = a_graph("a  b<-a  c<-a,b", **both)
    run_through(scene, "c", "a", "b", "c")
    scene.run_id = scene.invokes("c")
    assert (scene.is_at("a"), scene.is_at("b")) == ("completed reused", "completed reused")


def test_a_task_that_runs_anew_asks_for_a_new_result_of_its_upstream() -> None:
    both: dict[str, Any] = {
        "c": {"upstream": [{"task": "a", "within_s": HOUR}, {"task": "b", "within_s": 1}]}
    }
    scene = a_graph("a  b<-a  c<-a,b", **both)
    run_through(scene, "c", "a", "b", "c")
    scene.after(10)
    scene.run_id = scene.invokes("c")
    assert (scene.is_at("a"), scene.is_at("b")) == ("pending dispatched", "pending waiting")


def test_max_age_lets_the_target_itself_be_reused() -> None:
    scene = a_graph("a")
    run_through(scene, "a", "a")
    scene.run_id = scene.invokes("a", max_age_s=HOUR)
    assert scene.run().state == "completed"
    assert scene.sent == [("a", 1)]


def test_another_declaration_of_the_task_makes_it_stale() -> None:
    scene = a_graph("a  b<-a", **FRESH)
    run_through(scene, "b", "a", "b")
    scene.declares(
        "s", "a  b<-a", revision=1, a={"description": "it does something else now"}, **FRESH
    )
    scene.run_id = scene.invokes("b")
    assert scene.is_at("a") == "pending dispatched"


def test_other_params_make_it_stale() -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string"}}}
    scene = a_graph("a  b<-a", a={"params_schema": schema}, **FRESH)
    run_through(scene, "b", "a", "b", params={"day": "monday"})
    scene.run_id = scene.invokes("b", params={"day": "sunday"})
    assert scene.is_at("a") == "pending dispatched"


def test_a_failed_result_is_never_reused() -> None:
    scene = a_graph("a  b<-a", **FRESH)
    scene.run_id = scene.invokes("b")
    scene.comes_to("a", "error")
    scene.run_id = scene.invokes("b")
    assert scene.is_at("a") == "pending dispatched"


def test_a_large_result_is_reused_too() -> None:
    scene = a_graph("a  b<-a", **FRESH)
    scene.run_id = scene.invokes("b")
    scene.comes_to("a", "completed", output="x" * 5000)
    scene.run_id = scene.invokes("b")
    assert scene.told[-1].upstream == {"a": "x" * 5000}  # type: ignore[attr-defined]

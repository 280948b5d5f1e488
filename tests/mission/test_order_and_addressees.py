"""Commands go in the correct order to the correct servers."""

from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.state_updates import TaskStateChanged
from mission.stage import Stage


def test_a_task_is_sent_to_the_server_that_declared_it() -> None:
    stage = Stage("a: x  y", "b: z<-x,y")

    stage.invoke("z")

    assert {command.task: command.server for command in stage.commands} == {
        "x": "a",
        "y": "a",
        "z": "b",
    }


def test_only_the_upstream_closure_of_what_was_asked_for_is_run() -> None:
    stage = Stage("a: x  y  unrelated<-x", "b: z<-x")

    stage.invoke("z")

    assert [command.task for command in stage.commands] == ["x", "z"]


def test_a_task_is_sent_only_when_all_of_its_upstreams_have_completed() -> None:
    stage = Stage("a: x  y", "b: z<-x,y", silent=("x", "y"))
    run = stage.invoke("z")

    stage.say(run, "y", "completed")
    assert [command.task for command in stage.commands] == ["x", "y"]

    stage.say(run, "x", "completed")
    assert [command.task for command in stage.commands] == ["x", "y", "z"]


def test_independent_tasks_are_sent_at_once() -> None:
    stage = Stage("a: x  y", "b: w  z<-x,y,w", silent=("x", "y", "w"))

    stage.invoke("z")

    assert {command.task for command in stage.commands} == {"x", "y", "w"}


def test_a_command_carries_the_outputs_of_its_direct_upstreams_in_declared_order() -> None:
    stage = Stage("a: x  y", "b: z<-y,x")

    stage.invoke("z")

    assert list(stage.commands[-1].upstream.items()) == [
        ("y", {"made_by": "y"}),
        ("x", {"made_by": "x"}),
    ]


def test_the_run_completes_when_its_target_does() -> None:
    stage = Stage("a: x", "b: z<-x")

    run = stage.invoke("z")

    assert stage.run(run).state == "completed"
    assert stage.states(run) == {"x": "completed", "z": "completed"}


@given(st.data())
def test_in_any_graph_no_command_is_sent_before_all_upstreams_completed(
    data: st.DataObject,
) -> None:
    size = data.draw(st.integers(2, 12))
    tasks = ["t0"]
    for index in range(1, size):
        upstream = data.draw(st.sets(st.integers(0, index - 1), max_size=4))
        tasks.append(f"t{index}<-" + ",".join(f"t{u}" for u in sorted(upstream)))
    stage = Stage("a: " + " ".join(tasks[::2]), "b: " + " ".join(tasks[1::2]))

    stage.invoke(f"t{size - 1}")

    completed: set[str] = set()
    graph = stage.home.store.read_graph()
    for envelope in stage.passed():
        match envelope.message:
            case RunTask(task=task):
                assert completed.issuperset(graph[task].task.upstream_names)
            case TaskStateChanged(task=task, state="completed"):
                completed.add(task)
    assert f"t{size - 1}" in completed

"""Commands are sent in topological order, each to the server that declared the task."""

from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.state_updates import TaskStateChanged
from world.scenarios import an_engine


def test_task_is_sent_to_declaring_server() -> None:
    world = an_engine("a: x  y", "b: z<-x,y")

    world.invoke("z")

    assert {command.task: command.server for command in world.commands} == {
        "x": "a",
        "y": "a",
        "z": "b",
    }


def test_only_upstream_closure_of_target_is_run() -> None:
    world = an_engine("a: x  y  unrelated<-x", "b: z<-x")

    world.invoke("z")

    assert [command.task for command in world.commands] == ["x", "z"]


def test_task_is_sent_when_all_upstreams_completed() -> None:
    world = an_engine("a: x  y", "b: z<-x,y", silent=("x", "y"))
    world.invoke("z")

    world.report("y", "completed")
    assert [command.task for command in world.commands] == ["x", "y"]

    world.report("x", "completed")
    assert [command.task for command in world.commands] == ["x", "y", "z"]


def test_independent_tasks_are_sent_at_once() -> None:
    world = an_engine("a: x  y", "b: w  z<-x,y,w", silent=("x", "y", "w"))

    world.invoke("z")

    assert {command.task for command in world.commands} == {"x", "y", "w"}


def test_command_carries_upstream_outputs_in_declared_order() -> None:
    world = an_engine("a: x  y", "b: z<-y,x")

    world.invoke("z")

    assert list(world.commands[-1].upstream.items()) == [
        ("y", {"made_by": "y"}),
        ("x", {"made_by": "x"}),
    ]


def test_run_completes_when_target_completes() -> None:
    world = an_engine("a: x", "b: z<-x")

    world.invoke("z")

    assert world.run().state == "completed"
    assert world.states() == {"x": "completed", "z": "completed"}


@given(st.data())
def test_any_graph_sends_no_task_before_its_upstreams(
    data: st.DataObject,
) -> None:
    size = data.draw(st.integers(2, 12))
    tasks = ["t0"]
    for index in range(1, size):
        upstream = data.draw(st.sets(st.integers(0, index - 1), max_size=4))
        tasks.append(f"t{index}<-" + ",".join(f"t{u}" for u in sorted(upstream)))
    world = an_engine("a: " + " ".join(tasks[::2]), "b: " + " ".join(tasks[1::2]))

    world.invoke(f"t{size - 1}")

    completed: set[str] = set()
    graph = world.driver.home.store.read_graph()
    for envelope in world.driver.events():
        match envelope.message:
            case RunTask(task=task):
                assert completed.issuperset(graph[task].task.upstream_names)
            case TaskStateChanged(task=task, state="completed"):
                completed.add(task)
    assert f"t{size - 1}" in completed

"""Rule 10: task names are global and owned by the first server to declare them, until it declares without them."""

from cordyna_core.contract.ids import run_id_of
from rules.scene import a_graph


def test_the_first_to_declare_a_name_owns_it() -> None:
    scene = a_graph("a")
    scene.declares("t", "a")
    assert scene.problems == ["owned_by_another"]
    assert scene.store.read_graph().server_of("a") == "s"


def test_it_is_free_once_its_owner_declares_without_it() -> None:
    scene = a_graph("a  b")
    scene.declares("s", "b", revision=1)
    scene.declares("t", "a")
    assert scene.problems == []
    assert scene.store.read_graph().server_of("a") == "t"


def test_several_instances_of_one_server_are_one_server() -> None:
    scene = a_graph("a")
    scene.declares("s", "a")
    assert len(scene.store.servers()) == 1
    scene.run_id = scene.invokes("a", key="k")
    scene.says("a", "started")
    scene.says("a", "completed")
    assert scene.run(run_id_of("a", "k")).state == "completed"


def test_names_are_kept_as_written_and_case_matters() -> None:
    scene = a_graph("Team.Task-1  team.task-1")
    assert set(scene.store.read_graph()) == {"Team.Task-1", "team.task-1"}

"""Rule 10: task names are global and owned (docs/rules.md, rule 10)."""

from cordyna_core.contract.ids import run_id_of
from world.scenarios import a_world


def test_name_belongs_to_first_declaring_server() -> None:
    world = a_world("a")
    world.declare("t", "a")
    assert world.problems == ["owned_by_another"]
    assert world.store.read_graph().server_of("a") == "s"


def test_name_left_out_by_owner_is_free() -> None:
    world = a_world("a  b")
    world.declare("s", "b", revision=1)
    world.declare("t", "a")
    assert world.problems == []
    assert world.store.read_graph().server_of("a") == "t"


def test_instances_of_one_server_are_one_server() -> None:
    world = a_world("a")
    world.declare("s", "a")
    assert len(world.store.servers()) == 1
    world.run_id = world.invoke("a", key="k")
    world.report("a", "started")
    world.report("a", "completed")
    assert world.run(run_id_of("a", "k")).state == "completed"


def test_names_are_case_sensitive() -> None:
    world = a_world("Team.Task-1  team.task-1")
    assert set(world.store.read_graph()) == {"Team.Task-1", "team.task-1"}

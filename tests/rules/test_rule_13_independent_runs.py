"""Rule 13: each run runs its own closure (docs/rules.md, rule 13)."""

from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import SCHEDULER, run_id_of, server_source
from cordyna_core.contract.time import utc
from world.scenarios import a_run, a_world
from world.world import NOON


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


def test_same_key_with_other_task_is_another_run() -> None:
    world = a_world("a  b")
    first, other = world.invoke("a", key="same"), world.invoke("b", key="same")
    assert first != other
    assert (world.problems, world.sent) == ([], [("a", 1), ("b", 1)])


def test_same_key_of_a_server_and_a_client_are_two_runs() -> None:
    world = a_world("a")
    by_client = world.invoke("a", key="same")
    by_server = world.invoke("a", key="same", source=server_source("s"))
    assert by_client != by_server
    assert world.sent == [("a", 1), ("a", 1)]


def test_client_with_key_of_a_tick_does_not_take_it() -> None:
    world = a_world("a")
    by_client = world.invoke("a", key="cron 2027-01-15T08:00:00+00:00")
    world.publish(InvokeTask(task="a", scheduled_at=utc(NOON)), SCHEDULER)
    assert by_client != run_id_of("a", "cron 2027-01-15T08:00:00+00:00", SCHEDULER)
    assert world.sent == [("a", 1), ("a", 1)]


def test_same_key_with_other_params_is_refused() -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string"}}}
    world = a_world("a", a={"params_schema": schema})
    world.invoke("a", key="same", params={"day": "monday"})
    world.invoke("a", key="same", params={"day": "sunday"})
    assert world.problems == ["key_reused"]

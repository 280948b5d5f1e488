"""Rule 12: a run keeps the plan with which it began (docs/rules.md, rule 12)."""

from contextlib import suppress

from cerebro.core.effects import WriteRun
from cerebro.core.run.invoke import invoke_task
from cerebro.shell import PERFORM
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, run_id_of
from cordyna_core.contract.time import utc
from world.scenarios import a_run, a_world


def test_redeclaring_keeps_plan_of_running_run() -> None:
    world = a_run("a  b<-a  c<-b", a="started")
    world.declare("s", "a  c<-a", revision=1)
    world.reach("a", "completed")
    assert world.sent == [("a", 1), ("b", 1)]
    world.reach("b", "completed")
    world.reach("c", "completed")
    assert world.run().state == "completed"


def test_run_invoked_after_redeclaring_has_new_plan() -> None:
    world = a_run("a  b<-a  c<-b", a="started")
    world.declare("s", "a  c<-a", revision=1)
    run_id = world.invoke("c")
    assert [task.task for task in world.run(run_id).tasks] == ["a", "c"]


def test_redeclaring_keeps_clocks_and_retries_of_run() -> None:
    world = a_run("a", declared={"a": {"retries": 1}})
    world.declare("s", "a", revision=1)
    assert world.after(18).sent == [("a", 1), ("a", 2)]


def test_task_moved_to_other_server_is_answered_by_old_one() -> None:
    world = a_run("a  b<-a", a="started")
    world.declare("s", "b", revision=1)
    world.declare("t", "a")
    world.reach("a", "completed")
    assert world.state_of("a") == "completed"


def test_deliveries_with_different_plans_use_the_stored_plan() -> None:
    world = a_world("a  b<-a  c<-b")
    command = Envelope(CLIENT, InvokeTask(task="c", key="k"), "event", utc(world.now))
    slow = invoke_task(command)
    effect = slow.send(None)
    while not isinstance(effect, WriteRun):
        effect = slow.send(PERFORM[type(effect)](world.driver.ports, effect))
    world.declare("s", "a  z  c<-z", revision=1)
    world.handle(command)
    with suppress(StopIteration):
        while True:
            effect = slow.send(PERFORM[type(effect)](world.driver.ports, effect))
    world.run_id = run_id_of("c", "k")
    assert [task.task for task in world.run().tasks] == ["z", "c"]
    for name in ("z", "c"):
        world.reach(name, "completed")
    assert world.run().state == "completed"
    assert {task for task, _ in world.sent} == {"z", "c"}

"""Rule 12: redeclaring while a run is in flight changes nothing for that run: it is pinned to its plan."""

from contextlib import suppress

from cerebro.core.effects import WriteRun
from cerebro.core.run.invoke import invoke_task
from cerebro.shell import PERFORM
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, run_id_of
from cordyna_core.contract.time import utc
from rules.scene import a_graph, a_run


def test_the_run_goes_on_as_planned() -> None:
    scene = a_run("a  b<-a  c<-b", a="started")
    scene.declares("s", "a  c<-a", revision=1)
    scene.comes_to("a", "completed")
    assert scene.sent == [("a", 1), ("b", 1)]
    scene.comes_to("b", "completed")
    scene.comes_to("c", "completed")
    assert scene.run().state == "completed"


def test_another_run_has_the_new_plan() -> None:
    scene = a_run("a  b<-a  c<-b", a="started")
    scene.declares("s", "a  c<-a", revision=1)
    run_id = scene.invokes("c")
    assert [task.task for task in scene.run(run_id).tasks] == ["a", "c"]


def test_its_clocks_and_retries_are_the_old_ones() -> None:
    scene = a_run("a", declared={"a": {"retries": 1}})
    scene.declares("s", "a", revision=1)
    assert scene.after(18).sent == [("a", 1), ("a", 2)]


def test_a_task_that_went_to_another_server_is_still_answered_for_by_the_old_one() -> None:
    scene = a_run("a  b<-a", a="started")
    scene.declares("s", "b", revision=1)
    scene.declares("t", "a")
    scene.comes_to("a", "completed")
    assert scene.is_at("a") == "completed"


def test_two_deliveries_of_one_invocation_that_planned_differently_go_on_with_the_plan_that_was_kept() -> (
    None
):
    scene = a_graph("a  b<-a  c<-b")
    command = Envelope(CLIENT, InvokeTask(task="c", key="k"), "event", utc(scene.now))
    slow = invoke_task(command)
    effect = slow.send(None)
    while not isinstance(effect, WriteRun):
        effect = slow.send(PERFORM[type(effect)](scene.ports, effect))
    scene.declares("s", "a  z  c<-z", revision=1)
    scene.hears(command)
    with suppress(StopIteration):
        while True:
            effect = slow.send(PERFORM[type(effect)](scene.ports, effect))
    scene.run_id = run_id_of("c", "k")
    assert [task.task for task in scene.run().tasks] == ["z", "c"]
    for name in ("z", "c"):
        scene.comes_to(name, "completed")
    assert scene.run().state == "completed"
    assert {task for task, _ in scene.sent} == {"z", "c"}

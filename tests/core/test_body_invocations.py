"""Invocations by a task's body: their refusal belongs to the run of that task."""

from typing import Any

import pytest

from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.ids import derived_id, server_source
from cordyna_core.contract.state_updates import InvocationRejected
from world.scenarios import EngineWorld, an_engine


def a_world_with_two_servers(**fields: Any) -> EngineWorld:
    """A run of the task `trigger` of server one, beside the task `archive` of server two."""
    world = an_engine("one: trigger", "two: archive", silent=["trigger"], **fields)
    world.invoke("trigger")
    return world


def refusals_in(world: EngineWorld, run_id: str) -> list[InvocationRejected]:
    """The refusals among the events of a run."""
    events = world.driver.home.event_log.events(run_id, 0)
    messages = [open_envelope(event.text).message for event in events]
    return [message for message in messages if isinstance(message, InvocationRejected)]


@pytest.mark.parametrize(
    ("task", "code"), [("archive", "not_an_invoker"), ("gone", "unknown_task")]
)
def test_invocation_by_body_refused_is_in_events_of_its_run(task: str, code: str) -> None:
    world = a_world_with_two_servers(archive={"invokers": []})
    command = InvokeTask(task=task, key="k", by_run=world.run_id, by_task="trigger")
    world.publish(command, server_source("one"))

    (refused,) = refusals_in(world, world.run_id)
    assert (refused.task, refused.by_task) == (task, "trigger")
    assert [problem.code for problem in refused.problems] == [code]


def test_invocation_by_body_accepted_has_no_refusal() -> None:
    world = a_world_with_two_servers()
    command = InvokeTask(task="trigger", key="k", by_run=world.run_id, by_task="trigger")
    world.publish(command, server_source("one"))

    assert refusals_in(world, world.run_id) == []


def test_invocation_of_a_task_of_another_server_runs_it() -> None:
    world = a_world_with_two_servers()
    command = InvokeTask(task="archive", key="k", by_run=world.run_id, by_task="trigger")
    world.publish(command, server_source("one"))

    assert [(sent.server, sent.task) for sent in world.commands] == [
        ("one", "trigger"),
        ("two", "archive"),
    ]
    assert refusals_in(world, world.run_id) == []


def test_invocation_by_client_refused_belongs_to_no_run() -> None:
    world = a_world_with_two_servers()
    world.publish(InvokeTask(task="gone", key="k"), "cordyna.client")

    (refused,) = [message for message in world.published if isinstance(message, InvocationRejected)]
    assert (refused.run_id, refused.by_task) == (None, None)
    assert refusals_in(world, world.run_id) == []


def test_invocation_by_body_of_unknown_run_is_refused() -> None:
    world = a_world_with_two_servers()
    command = InvokeTask(task="gone", by_run=derived_id("no run"), by_task="trigger")
    world.publish(command, server_source("one"))

    assert world.problems == ["unknown_task"]


@pytest.mark.parametrize(
    ("source", "task"),
    [
        ("cordyna.client", "trigger"),
        ("cordyna.client.trigger", "trigger"),
        (server_source("two"), "trigger"),
        (server_source("one"), "archive"),
        (server_source("one"), "gone"),
    ],
)
def test_refusal_of_another_sender_joins_no_run(source: str, task: str) -> None:
    """Anyone can name a run in a command; its events are those of its own bodies."""
    world = a_world_with_two_servers()
    world.publish(InvokeTask(task="gone", by_run=world.run_id, by_task=task), source)

    assert world.problems == ["unknown_task"]
    assert refusals_in(world, world.run_id) == []

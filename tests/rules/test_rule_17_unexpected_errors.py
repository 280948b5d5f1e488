"""Rule 17: what can never be handled becomes a dead letter, and its sender is answered."""

import json
from typing import Any

import pytest

from cerebro.core.effects import Publish
from cerebro.core.internal_messages import PageTimer
from cerebro.core.model.plan import Plan
from cerebro.dispatch import INTERNAL
from cerebro.handlers import receive as receiving
from cerebro.handlers.receive import Delivery, receive
from cerebro.shell import ProgramFailed, perform
from cordyna_core.contract.commands import DescribeServer, InvokeTask
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CLIENT, server_source
from cordyna_core.contract.state_updates import InvocationRejected, TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.errors import ServiceError
from world.declarations import declared
from world.reactions import Reactions
from world.scenarios import a_world
from world.world import NOON, World


def a_failing_program(monkeypatch: pytest.MonkeyPatch) -> World[Reactions]:
    """A world in which cerebro's plan raises what no one expected."""

    def overflow(*_: Any) -> None:
        raise OverflowError("too far in the future")

    monkeypatch.setattr(Plan, "__init__", overflow)
    return a_world("a")


def sealed(message: Any, source: str) -> Delivery:
    return Delivery("receipt", seal(message, source, "event-1", utc(NOON)))


def test_invocation_that_fails_becomes_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_failing_program(monkeypatch)
    outcome = receive([sealed(InvokeTask(task="a"), CLIENT)], world.driver.ports)
    ((_, reason),) = outcome.dead_letters
    assert (outcome.again, reason) == ([], "it raised OverflowError: too far in the future")


def test_sender_of_failed_invocation_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_failing_program(monkeypatch)
    receive([sealed(InvokeTask(task="a"), CLIENT)], world.driver.ports)
    (refused,) = [m for m in world.published if isinstance(m, InvocationRejected)]
    assert (refused.event_id, refused.problems[0].code) == ("event-1", "not_handled")
    assert "OverflowError" in refused.problems[0].message


def test_server_of_failed_declaration_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world("a")

    def fail(*_: Any) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr("cerebro.core.declaration.handlers.decide", fail)
    receive([sealed(declared("t", "b"), server_source("t"))], world.driver.ports)
    assert world.problems == ["not_handled"]


def test_failed_internal_message_becomes_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world("a")

    async def fail(_: Any) -> None:
        raise KeyError("page")

    monkeypatch.setitem(INTERNAL, PageTimer, fail)
    body = json.dumps({"ring": {"run_id": "R", "page": 0, "due": 0.0}})
    outcome = receive([Delivery("receipt", body)], world.driver.ports)
    assert [reason for _, reason in outcome.dead_letters] == ["it raised KeyError: 'page'"]


def test_answer_that_fails_too_leaves_the_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_failing_program(monkeypatch)

    async def fail(*_: Any) -> None:
        raise ValueError("no answer either")

    monkeypatch.setattr(receiving, "refuse_malformed", fail)
    outcome = receive([sealed(InvokeTask(task="a"), CLIENT)], world.driver.ports)
    assert len(outcome.dead_letters) == 1


def test_error_of_a_port_is_delivered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world("a")

    def throttled() -> None:
        raise OSError("throttled")

    monkeypatch.setattr(world.store, "read_graph", throttled)
    outcome = receive([sealed(InvokeTask(task="a"), CLIENT)], world.driver.ports)
    assert (outcome.again, outcome.dead_letters) == (["receipt"], [])


def test_program_failure_names_its_cause() -> None:
    async def divide() -> None:
        _ = 1 / 0

    with pytest.raises(ProgramFailed, match="ZeroDivisionError") as failed:
        perform(divide(), a_world("a").driver.ports)
    assert isinstance(failed.value.__cause__, ZeroDivisionError)


def test_effect_without_time_for_it_is_not_performed() -> None:
    world = a_world("a")

    def raise_too_late() -> None:
        raise ServiceError("no time is left")

    async def publish() -> None:
        await Publish((DescribeServer(server="*"),))

    with pytest.raises(ServiceError):
        perform(publish(), world.driver.ports, raise_too_late)
    assert not any(isinstance(message, DescribeServer) for message in world.published)


def test_message_without_time_for_its_effects_is_delivered_again() -> None:
    world = a_world("a")

    def raise_too_late() -> None:
        raise ServiceError("no time is left")

    delivery = sealed(InvokeTask(task="a"), CLIENT)
    outcome = receive([delivery], world.driver.ports, check_time=raise_too_late)
    assert (outcome.again, outcome.dead_letters) == (["receipt"], [])
    assert world.driver.ports.store.runs(1) == []


def test_message_that_a_program_refuses_is_no_failure_of_cerebro() -> None:
    """It is a dead letter with its own reason, and its sender is not sent another one."""
    world = a_world("a")
    update = TaskStateChanged(server="s", run_id="0" * 26, task="a", attempt=1, state="completed")
    ((_, reason),) = receive([sealed(update, server_source("s"))], world.driver.ports).dead_letters
    assert reason == f"run {'0' * 26} is not known"

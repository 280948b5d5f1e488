"""Rule 22: a secret travels as a reference (docs/rules.md, rule 22)."""

import json
from typing import Any, Final

import pytest

from cerebro.core.planning.redaction import redacted_event
from cerebro.handlers.receive import Delivery, receive
from cordyna_core.contract.secret_params import REDACTED
from cordyna_core.contract.state_updates import InvocationRejected
from world.declarations import declared, graph_of, params
from world.scenarios import ReactionWorld, a_world

PLAIN: Final = "hunter2-hunter2"
SECRET: Final = {"type": "string", "minLength": 40, "writeOnly": True}
LOADS: Final = params("token", token=SECRET, day="string")


def a_load() -> ReactionWorld:
    """A task that needs a secret, and one that needs it."""
    return a_world("load  report<-load", load=LOADS)


def messages(world: ReactionWorld) -> str:
    return " ".join(message.model_dump_json() for message in world.published)


def test_reference_is_sent_to_the_server_as_it_is() -> None:
    world = a_load()
    world.invoke("report", params={"token": "ssm:/team/token"})
    assert world.commands[0].params == {"token": "ssm:/team/token"}


def test_plain_value_is_refused_without_quoting_it() -> None:
    world = a_load()
    world.invoke("report", params={"token": PLAIN, "day": 5, "more": 1})

    (refused,) = [one for one in world.published if isinstance(one, InvocationRejected)]
    assert [problem.code for problem in refused.problems] == ["plain_secret"]
    assert "parameter token is a secret of load (s)" in refused.problems[0].message
    assert PLAIN not in messages(world)
    assert world.store.read_run(world.run_id) is None


@pytest.mark.parametrize("value", [5, {"password": PLAIN}, [PLAIN], "", "ENV:TOKEN"])
def test_value_that_is_no_reference_is_refused(value: Any) -> None:
    world = a_load()
    world.invoke("load", params={"token": value})
    assert world.problems == ["plain_secret"]


def test_other_params_are_checked_beside_a_reference() -> None:
    world = a_load()
    world.invoke("load", params={"token": "env:TOKEN", "day": 5})
    assert world.problems == ["bad_param"]


def event(detail: Any) -> str:
    return json.dumps(
        {
            "id": "e1",
            "source": "cordyna.client",
            "detail-type": "InvokeTask",
            "time": "2026-01-02T03:04:05Z",
            "detail": detail,
        }
    )


def test_dead_letter_of_a_queue_has_no_plain_value() -> None:
    world = a_load()
    body = event({"task": "report", "key": 5, "params": {"token": PLAIN}})
    outcome = receive([Delivery("r1", body)], world.driver.ports)

    ((kept, _),) = outcome.dead_letters
    assert json.loads(kept.body)["detail"]["params"] == {"token": REDACTED}
    assert kept.receipt == "r1"


@pytest.mark.parametrize(
    "text",
    [
        event({"task": "report", "params": {"token": "env:TOKEN"}}),
        event({"task": "gone", "params": {"token": PLAIN}}),
        event({"task": 5, "params": {"token": PLAIN}}),
        event({"task": "report", "params": 5}),
        event({"task": "report", "params": {}}),
        event(["InvokeTask", "params"]),
        '{"InvokeTask": "params"',
    ],
)
def test_event_without_a_plain_secret_is_unchanged(text: str) -> None:
    graph = graph_of(declared("s", "load  report<-load", load=LOADS))
    assert redacted_event(text, graph) is text

"""Rule 22: a secret travels as a reference (docs/rules.md, rule 22)."""

import json
from typing import Any, Final

import pytest

from cerebro.core.planning.redaction import kept_event, redacted_event
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
        event({"task": "report", "params": {"tokn": PLAIN}}),
        event({"task": "report", "params": 5}),
        event({"task": "report", "params": {}}),
        event(["InvokeTask", "params"]),
        '{"InvokeTask": "params"',
    ],
)
def test_event_that_may_be_without_a_secret_is_unchanged(text: str) -> None:
    """What is not declared yet may be, when the event is handled."""
    graph = graph_of(declared("s", "load  report<-load", load=LOADS))
    assert redacted_event(text, graph) is text


LOGIN: Final = {"type": "object", "properties": {"user": {"type": "string"}, "passWord": SECRET}}
MORE: Final = params("token", token=SECRET, logins={"type": "array", "items": LOGIN})

MALFORMED: Final = [
    event({"task": 5, "params": {"token": PLAIN}}),
    event({"task": " report", "params": {"Token ": PLAIN}}),
    event({"task": "report", "params": [PLAIN]}),
    event({"task": "report", "params": PLAIN}),
    event({"task": "report", "key": 5, "params": {"logins": {"passWord": PLAIN}}}),
    event(json.dumps({"task": "report", "params": {"token": PLAIN}})),
    event(["InvokeTask", {"params": {"token": PLAIN}}]),
    event({"task": "report", "params": {"token": PLAIN}})[:-3],
    event({"task": "report", "params": {"token": PLAIN}}).replace("InvokeTask", "invoketask"),
    event({"run_id": 5, "params": {"token": PLAIN}}).replace("InvokeTask", "RunTask"),
    event(json.dumps({"params": {"token": PLAIN}}))[:-1],
    event({"task": "report", "params": {"token": PLAIN, "straße": 1}})[:-1],
]
REFUSED: Final = [
    event({"task": "gone", "params": {"token": PLAIN}}),
    event({"task": "report", "params": {"tokn": PLAIN}}),
    event({"task": "report", "params": {"logins": {"passWord": PLAIN}}}),
    event({"task": "report", "params": {"logins": PLAIN}}),
    event({"task": "report", "params": {"logins": [[{"passWord": PLAIN}]]}}),
]


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_event_is_kept_without_plain_values(text: str) -> None:
    graph = graph_of(declared("s", "load  report<-load", load=MORE))
    for kept in (redacted_event(text, graph), kept_event(text, graph)):
        assert PLAIN not in kept
        assert REDACTED in kept


@pytest.mark.parametrize("text", REFUSED)
def test_refused_event_is_kept_without_plain_values(text: str) -> None:
    """Of a misspelt task or parameter, and of a value in another form than it should have."""
    graph = graph_of(declared("s", "load  report<-load", load=MORE))
    assert PLAIN not in kept_event(text, graph)


@pytest.mark.parametrize("text", [*MALFORMED, *REFUSED])
def test_event_of_a_graph_without_secrets_is_unchanged(text: str) -> None:
    graph = graph_of(declared("s", "load  report<-load", load=params(token="string")))
    assert kept_event(text, graph) is text


def test_value_in_another_form_is_refused_without_quoting_it() -> None:
    world = a_world("load", load=MORE)
    for value in (PLAIN, {"passWord": PLAIN}, [PLAIN]):
        world.invoke("load", params={"token": "env:TOKEN", "logins": value})
    assert world.problems == ["plain_secret"] * 3
    assert PLAIN not in messages(world)


def test_value_that_was_replaced_begins_no_run() -> None:
    """Its event was kept before what it names was declared, and was put back later."""
    world = a_world("load", load=MORE)
    misspelt = event({"task": "load", "params": {"token": "env:TOKEN", "where": PLAIN}})
    replaced = json.loads(kept_event(misspelt, world.store.read_graph()))["detail"]["params"]
    assert replaced["where"] == REDACTED
    world.invoke("load", params=replaced)
    assert world.problems == ["unknown_param"]
    more = {**MORE["params_schema"]["properties"], "where": {"type": "string"}}
    world.declare("s", "load", load=params(**more), revision=2)
    world.invoke("load", params=replaced)
    assert world.problems[1:] == ["plain_secret"]


def test_accepted_event_keeps_every_value() -> None:
    """A field of the same name that is no secret of the task is left alone."""
    graph = graph_of(declared("s", "load", load=MORE), declared("t", "other", other=DAY_AND_TOKEN))
    text = event({"task": "other", "params": {"token": PLAIN, "day": "today"}})
    assert kept_event(text, graph) is text


DAY_AND_TOKEN: Final = params(token="string", day="string")

"""Checks of secrets: what may be kept of an event that can never be handled."""

import json
from typing import Any

import pytest

from cerebro.simulator.parts.secrets import MISSPELT, PLAIN, SCHEMA, SECRET, has_plain, may_be_kept
from world.declarations import declared, graph_of

TAKES_SECRET = {"params_schema": {"type": "object", "properties": {SECRET: SCHEMA}}}
GRAPH = graph_of(declared("s", "a  b<-a  c", a=TAKES_SECRET))


def an_event(task: str, params: dict[str, Any], **more: Any) -> str:
    return json.dumps({"detail": {"task": task, "params": params, **more}})


@pytest.mark.parametrize(
    ("event", "may_be"),
    [
        (an_event("a", {SECRET: PLAIN}), False),
        (an_event("b", {SECRET: PLAIN}), False),  # of its upstream
        (an_event("b", {MISSPELT: PLAIN}), False),
        (an_event("c", {SECRET: PLAIN}), True),  # takes none, nor does what it needs
        (an_event("unknown", {SECRET: PLAIN}), False),
        (an_event("unknown", {MISSPELT: PLAIN}), True),
        (an_event("a", {SECRET: PLAIN}, key=7), False),
        (an_event("a", {MISSPELT: PLAIN}, key=7), True),  # only names tell, if it is malformed
        (an_event("a", {SECRET: PLAIN})[:-3], False),
        (an_event("a", {MISSPELT: PLAIN})[:-3], True),
    ],
)
def test_plain_secret_that_is_kept_is_found(event: str, *, may_be: bool) -> None:
    assert has_plain(event)
    assert may_be_kept(event, GRAPH) is may_be


def test_event_is_kept_where_no_task_takes_a_secret() -> None:
    assert may_be_kept(an_event("a", {SECRET: PLAIN}), graph_of(declared("s", "a")))

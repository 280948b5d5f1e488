"""Identity is `source`: which source may send which message."""

import json
from typing import Any, Final

import pytest

from contract.golden_messages import NAMES, golden
from cordyna_core.contract.base import Message
from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.registry import may_send, why_may_not_send

COMMANDS_OF_CLIENTS: Final = {"InvokeTask", "CancelRun", "RetryRun"}
OF_CLIENTS_ONLY: Final = {"DescribeServer", "RemoveServer", "SnoozeIncident"}

MAY_SEND: Final = {
    "cordyna.client": COMMANDS_OF_CLIENTS | OF_CLIENTS_ONLY,
    "cordyna.client.alice": COMMANDS_OF_CLIENTS | OF_CLIENTS_ONLY,
    "cordyna.scheduler": {"InvokeTask"},
    "cordyna.server.task-server-b": COMMANDS_OF_CLIENTS
    | {"ServerDeclared", "ServerStateChanged", "TaskStateChanged", "RemoveServer"},
    "cordyna.cerebro": {
        "RunTask",
        "CancelTask",
        "DescribeServer",
        "TaskStateChanged",
        "RunStateChanged",
        "DeclarationAccepted",
        "DeclarationIgnored",
        "DeclarationRejected",
        "ServerRemoved",
        "InvocationRejected",
        "IncidentOpened",
        "IncidentChanged",
        "IncidentClosed",
        "GraphChanged",
    },
    "cordyna.clients": set[str](),
    "cordyna.cerebro.x": set[str](),
    "aws.ec2": set[str](),
    "": set[str](),
}


def message(name: str, **change: Any) -> Message:
    event = golden(name)
    event["detail"] |= change
    return open_envelope(json.dumps(event)).message


@pytest.mark.parametrize("source", MAY_SEND)
def test_may_send_is_this_table(source: str) -> None:
    assert {name for name in NAMES if may_send(source, message(name))} == MAY_SEND[source]


@pytest.mark.parametrize("name", ["ServerDeclared", "ServerStateChanged", "TaskStateChanged"])
def test_may_send_server_only_about_itself(name: str) -> None:
    assert may_send("cordyna.server.task-server-b", message(name))
    assert not may_send("cordyna.server.task-server-a", message(name))
    assert not may_send("cordyna.server.", message(name))
    assert may_send("cordyna.server.task-server-a", message(name, server="task-server-a"))


def test_may_send_cerebro_about_every_server() -> None:
    assert may_send("cordyna.cerebro", message("TaskStateChanged", server="task-server-z"))


@pytest.mark.parametrize(
    ("source", "name", "why"),
    [
        (
            "me",
            "InvokeTask",
            (
                "'me' may not send InvokeTask: the source of an event is cordyna.client, "
                "cordyna.client.<name>, cordyna.server.<name> or cordyna.scheduler"
            ),
        ),
        (
            "cordyna.client",
            "TaskStateChanged",
            (
                "'cordyna.client' may not send TaskStateChanged: only cordyna.server or "
                "cordyna.cerebro does"
            ),
        ),
        (
            "cordyna.server.other",
            "ServerStateChanged",
            (
                "'cordyna.server.other' may not send ServerStateChanged of 'task-server-b': "
                "a server sends what is about itself"
            ),
        ),
    ],
)
def test_why_may_not_send_says_who_may(source: str, name: str, why: str) -> None:
    message = open_envelope(json.dumps(golden(name))).message
    assert not may_send(source, message)
    assert why_may_not_send(source, message) == why

"""The function behind the custom resource that declares a task server, and removes it.

CloudFormation invokes it when the declaration in the template changes, and when the stack is
deleted. It publishes under the server's own source, then asks cerebro until the declaration is
answered, and fails the deployment if it was rejected or ignored.

Invariant: the revision is the second in which a deployment runs, never a value of the template, so
a rollback or an older commit declares its tasks with a higher revision than what it replaces. A
resource whose creation failed is not removed: its server may belong to another stack.

It is deployed as this folder alone, so it imports only the standard library and boto3.
"""

import base64
import json
import time
import urllib.request
import zlib
from collections.abc import Callable
from typing import Any, Final

ANSWERED_WITHIN_S: Final = 120.0
POLL_INTERVAL_S: Final = 1.0
PUT_ATTEMPTS_MAX: Final = 5
REASON_MAX_CHARS: Final = 3000
"""CloudFormation takes responses of at most 4 KB."""

NOT_CREATED: Final = "not-created"
"""The physical id of a resource whose creation failed."""

Properties = dict[str, str]

_SERVERS: Final = {"ask": "servers", "start": 0}


class DeploymentFailed(Exception):
    """The deployment cannot succeed; the text is shown by CloudFormation."""


class Deployment:
    """Publishes for one server, and waits for the answer. `sleep` and `clock` take seconds."""

    def __init__(
        self,
        events: Any,
        functions: Any,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._events, self._functions = events, functions
        self._clock, self._sleep = clock, sleep
        self._failure = ""

    def declare(self, properties: Properties) -> None:
        """Declare the server. Raises DeploymentFailed unless cerebro accepted exactly that."""
        declaration = {**declaration_in(properties), "revision": int(self._clock())}
        self._publish(properties, "ServerDeclared", declaration)
        self._await(lambda: self._is_accepted(properties, declaration))

    def remove(self, properties: Properties) -> None:
        """Remove the server.

        Raises DeploymentFailed if cerebro does not answer, and ClientError if it does not exist.
        """
        # Its query function, not its bus: a put to a missing bus fails like one to a busy bus.
        self._ask(properties, _SERVERS)
        command = {"server": properties["Server"], "revision": int(self._clock())}
        self._publish(properties, "RemoveServer", command)
        self._await(lambda: self._is_removed(properties))

    def _await(self, is_done: Callable[[], bool]) -> None:
        deadline = self._clock() + ANSWERED_WITHIN_S
        self._failure = ""
        while not is_done():
            if self._clock() >= deadline:
                raise DeploymentFailed(
                    f"cerebro did not answer within {ANSWERED_WITHIN_S:.0f} s{self._failure}. Look "
                    "at the alarms of its registry and at its dead letters, then deploy again."
                )
            self._sleep(POLL_INTERVAL_S)

    def _is_accepted(self, properties: Properties, declaration: dict[str, Any]) -> bool:
        query = {"ask": "rehearsal", "declared": [declaration]}
        if (answer := self._ask(properties, query)) is None:
            return False
        (view,) = answer["head"]["declarations"]
        if view["outcome"] == "rejected":
            problems = "; ".join(problem["message"] for problem in view["problems"])
            raise DeploymentFailed(f"DeclarationRejected: {problems}")
        if view["outcome"] == "older_revision":
            raise DeploymentFailed(
                f"DeclarationIgnored: revision {declaration['revision']} of server "
                f"{declaration['server']} is older than the accepted one, which has other tasks. "
                "Deploy again; if it repeats, look for a second deployment or a wrong clock."
            )
        # "accepted" is what would become of it: the registry has not handled it yet.
        return bool(view["outcome"] == "same")

    def _is_removed(self, properties: Properties) -> bool:
        start: int | None = 0
        while start is not None:
            answer = self._ask(properties, {**_SERVERS, "start": start})
            if answer is None:
                return False
            for row in answer["rows"]:
                if row["server"] == properties["Server"]:
                    return bool(row["tasks"] == 0)
            start = answer.get("next")
        return True

    def _ask(self, properties: Properties, query: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer of the query function; None if it failed, which may pass."""
        reply = self._functions.invoke(
            FunctionName=properties["Query"], Payload=json.dumps(query).encode()
        )
        text = reply["Payload"].read()
        if "FunctionError" in reply:
            self._failure = f" (its query function failed: {text.decode()[:300]})"
            return None
        answer: dict[str, Any] = json.loads(text)
        if answer.get("missing"):
            raise DeploymentFailed(f"the query was refused: {json.dumps(answer['missing'])}")
        return answer

    def _publish(self, properties: Properties, detail_type: str, detail: dict[str, Any]) -> None:
        entry = {
            "EventBusName": properties["Bus"],
            "Source": f"cordyna.server.{properties['Server']}",
            "DetailType": detail_type,
            "Detail": json.dumps(detail, separators=(",", ":")),
        }
        for attempt in range(PUT_ATTEMPTS_MAX):
            answer = self._events.put_events(Entries=[entry])
            if not answer["FailedEntryCount"]:
                return
            self._sleep(2.0**attempt)
        (result,) = answer["Entries"]
        raise DeploymentFailed(
            f"bus {properties['Bus']} did not accept {detail_type}: "
            f"{result.get('ErrorCode')}: {result.get('ErrorMessage')}"
        )


def declaration_in(properties: Properties) -> dict[str, Any]:
    """Return the declaration of the template: as JSON, or compressed if it is large."""
    if (text := properties.get("Declaration")) is None:
        compressed = base64.b64decode(properties["CompressedDeclaration"])
        text = zlib.decompress(compressed).decode()
    declaration: dict[str, Any] = json.loads(text)
    return declaration


def answer_to(event: dict[str, Any], deployment: Deployment) -> dict[str, Any]:
    """Do what CloudFormation asks for; the response that it expects."""
    properties = event["ResourceProperties"]
    physical_id = event.get("PhysicalResourceId", NOT_CREATED)
    reason = None
    try:
        if event["RequestType"] != "Delete":
            deployment.declare(properties)
            physical_id = f"{properties['Bus']}/{properties['Server']}"
        elif physical_id != NOT_CREATED:
            deployment.remove(properties)
    except Exception as failure:  # noqa: BLE001  CloudFormation would wait an hour for an answer
        # Without cerebro there is nothing to remove the server from.
        if event["RequestType"] != "Delete" or not _names_missing_resource(failure):
            reason = f"{type(failure).__name__}: {failure}"[:REASON_MAX_CHARS]
    return {
        "Status": "SUCCESS" if reason is None else "FAILED",
        "Reason": reason or "done",
        "PhysicalResourceId": physical_id,
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }


def _names_missing_resource(failure: Exception) -> bool:
    response = getattr(failure, "response", {})
    return bool(response.get("Error", {}).get("Code") == "ResourceNotFoundException")


def handler(event: dict[str, Any], context: object) -> None:
    """Answer a request of CloudFormation, at the address that it names."""
    import boto3  # noqa: PLC0415  tests of what is above need no client

    response = answer_to(event, Deployment(boto3.client("events"), boto3.client("lambda")))
    request = urllib.request.Request(  # noqa: S310  CloudFormation's own address
        event["ResponseURL"],
        data=json.dumps(response).encode(),
        method="PUT",
        headers={"Content-Type": ""},
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass

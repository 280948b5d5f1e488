"""The function that declares and removes a server when its stack is deployed or deleted."""

import json
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cordyna_cdk.deployment_function.handler import (
    ANSWERED_WITHIN_S,
    NOT_CREATED,
    PUT_ATTEMPTS_MAX,
    Deployment,
    answer_to,
)

NOON = 1_800_000_000.0
PROPERTIES = {
    "Server": "sales",
    "Bus": "cordyna",
    "Query": "cordyna-query",
    "Declaration": '{"server":"sales","tasks":[{"name":"total"}]}',
}


class Cerebro:
    """The bus and the query function; `outcomes` are the answers to rehearsals, one by one."""

    def __init__(self, *outcomes: str, tasks: int = 0, failing: int = 0) -> None:
        self.outcomes, self.tasks, self.failing = list(outcomes), tasks, failing
        self.published: list[dict[str, Any]] = []
        self.now = NOON
        self.error: Exception | None = None
        self.function_error = False
        self.failing_until = 0.0

    def deployment(self) -> Deployment:
        return Deployment(self, self, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def put_events(self, **request: Any) -> dict[str, Any]:
        self.failing -= 1
        if self.failing >= 0:
            return {
                "FailedEntryCount": 1,
                "Entries": [{"ErrorCode": "Throttled", "ErrorMessage": "slow down"}],
            }
        self.published += request["Entries"]
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    def invoke(self, **request: Any) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        if self.function_error or self.now < self.failing_until:
            return {"Payload": BytesIO(b"no memory"), "FunctionError": "Unhandled"}
        query = json.loads(request["Payload"])
        if query["ask"] == "servers":
            row = {"server": "sales", "tasks": self.tasks}
            pages = [{"rows": [{"server": "other", "tasks": 3}], "next": 1}, {"rows": [row]}]
            return {"Payload": BytesIO(json.dumps(pages[query["start"]]).encode())}
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        view = {"server": "sales", "outcome": outcome, "problems": [{"message": "a cycle"}]}
        answer = {"head": {"declarations": [view]}, "rows": []}
        return {"Payload": BytesIO(json.dumps(answer).encode())}


def request(kind: str, physical_id: str | None = None) -> dict[str, Any]:
    event: dict[str, Any] = {
        "RequestType": kind,
        "ResourceProperties": PROPERTIES,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "resource",
    }
    return event if physical_id is None else event | {"PhysicalResourceId": physical_id}


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_declaration_takes_the_second_as_its_revision(kind: str) -> None:
    cerebro = Cerebro("accepted", "accepted", "same")
    response = answer_to(request(kind), cerebro.deployment())
    assert response["Status"] == "SUCCESS"
    (entry,) = cerebro.published
    assert (entry["EventBusName"], entry["Source"]) == ("cordyna", "cordyna.server.sales")
    assert json.loads(entry["Detail"]) == {
        "server": "sales",
        "tasks": [{"name": "total"}],
        "revision": int(NOON),
    }
    assert cerebro.now == NOON + 2


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("rejected", "DeclarationRejected: a cycle"),
        ("older_revision", "DeclarationIgnored: revision 1800000000 of server sales"),
        ("accepted", "did not answer within 120 s"),
    ],
)
def test_deployment_fails_unless_exactly_that_is_accepted(outcome: str, reason: str) -> None:
    response = answer_to(request("Create"), Cerebro(outcome).deployment())
    assert (response["Status"], response["PhysicalResourceId"]) == ("FAILED", NOT_CREATED)
    assert reason in response["Reason"]


def test_revision_of_the_template_is_not_declared() -> None:
    cerebro = Cerebro("same")
    written = json.loads(PROPERTIES["Declaration"]) | {"revision": 7}
    event = request("Create")
    event["ResourceProperties"] = PROPERTIES | {"Declaration": json.dumps(written)}
    answer_to(event, cerebro.deployment())
    assert json.loads(cerebro.published[0]["Detail"])["revision"] == int(NOON)


def test_deployment_gives_up_in_the_time_that_it_names() -> None:
    cerebro = Cerebro("accepted")
    answer_to(request("Create"), cerebro.deployment())
    assert 0 <= cerebro.now - NOON - ANSWERED_WITHIN_S <= 1


def test_busy_bus_is_given_time() -> None:
    """Each pause is longer than the one before it."""
    cerebro = Cerebro("same", failing=PUT_ATTEMPTS_MAX - 1)
    assert answer_to(request("Create"), cerebro.deployment())["Status"] == "SUCCESS"
    assert cerebro.now - NOON >= 2 ** (PUT_ATTEMPTS_MAX - 1) - 1


def test_answer_to_cloudformation_is_at_most_4_kb() -> None:
    cerebro = Cerebro("same")
    cerebro.error = ValueError("x" * 9_000)
    response = answer_to(request("Create"), cerebro.deployment())
    assert response["Status"] == "FAILED"
    assert len(json.dumps(response)) <= 4096


def test_failing_bus_is_tried_again() -> None:
    cerebro = Cerebro("same", failing=PUT_ATTEMPTS_MAX - 1)
    assert answer_to(request("Create"), cerebro.deployment())["Status"] == "SUCCESS"


def test_bus_that_keeps_failing_fails_the_deployment() -> None:
    cerebro = Cerebro("same", failing=PUT_ATTEMPTS_MAX)
    assert "slow down" in answer_to(request("Create"), cerebro.deployment())["Reason"]


def test_query_that_keeps_failing_fails_the_deployment() -> None:
    cerebro = Cerebro("same")
    cerebro.function_error = True
    assert "no memory" in answer_to(request("Create"), cerebro.deployment())["Reason"]


def test_query_that_fails_for_a_while_is_asked_again() -> None:
    cerebro = Cerebro("same")
    cerebro.failing_until = NOON + 10
    assert answer_to(request("Create"), cerebro.deployment())["Status"] == "SUCCESS"
    assert answer_to(request("Delete", "cordyna/sales"), cerebro.deployment())["Status"] == (
        "SUCCESS"
    )


def test_deleted_stack_removes_its_server() -> None:
    cerebro = Cerebro()
    response = answer_to(request("Delete", "cordyna/sales"), cerebro.deployment())
    assert (response["Status"], response["PhysicalResourceId"]) == ("SUCCESS", "cordyna/sales")
    (entry,) = cerebro.published
    assert (entry["DetailType"], json.loads(entry["Detail"])) == (
        "RemoveServer",
        {"server": "sales", "revision": int(NOON)},
    )


def test_server_that_is_not_removed_fails_the_deletion() -> None:
    cerebro = Cerebro(tasks=2)
    response = answer_to(request("Delete", "cordyna/sales"), cerebro.deployment())
    assert "did not answer" in response["Reason"]
    assert cerebro.now >= NOON + ANSWERED_WITHIN_S


def test_failed_creation_removes_nothing() -> None:
    cerebro = Cerebro()
    assert answer_to(request("Delete", NOT_CREATED), cerebro.deployment())["Status"] == "SUCCESS"
    assert cerebro.published == []


def test_deletion_without_cerebro_succeeds() -> None:
    """Its bus, which is missing, too, fails every put."""
    cerebro = Cerebro(failing=PUT_ATTEMPTS_MAX)
    cerebro.error = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "Invoke")
    response = answer_to(request("Delete", "cordyna/sales"), cerebro.deployment())
    assert response["Status"] == "SUCCESS"
    assert cerebro.now == NOON


def test_other_errors_of_aws_fail_the_deletion() -> None:
    cerebro = Cerebro()
    cerebro.error = ClientError({"Error": {"Code": "AccessDeniedException"}}, "Invoke")
    response = answer_to(request("Delete", "cordyna/sales"), cerebro.deployment())
    assert response["Status"] == "FAILED"

"""Claims: the Claims port on DynamoDB, which also stores cancellations, leases, and `queued`.

Invariant: of all calls for one attempt, at most one returns True, and a claim is never returned.

A claim carries a lease, which its process renews while the body runs. So a message that SQS
delivers twice beside a running body is not mistaken for one whose worker died.

The price of "at most once": a process that claimed an attempt and was killed before, in or after
its body leaves the claim. The command, delivered again, is not run again: the death of its worker
is reported (`worker_death`), and a retry is a new attempt with a claim of its own. Without a table,
a command that is delivered again runs the body again: at least once. A team chooses by giving its
server a table.

An attempt that is cancelled before it is claimed cannot be claimed any more.
"""

import uuid
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from botocore.exceptions import ClientError

from cordyna_core.ports import Clock

KEY: Final = "pk"
EXPIRY: Final = "ttl"
RETENTION_S: Final = 30 * 24 * 3600
"""Claims outlive every redelivery: SQS keeps a message for at most 14 days."""

LEASE_S: Final = 40
"""Less than a message stays with its worker, so that a redelivery finds the lease of a dead one
expired.
"""

_KEYS_MAX: Final = 100
"""Of one BatchGetItem request (DynamoDB quotas)."""

AttemptKey = tuple[str, str, int]
"""(run, task, attempt)."""

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"


class DynamoDBClaims:
    """Claims in a table whose partition key is the text `pk`, and whose TTL attribute is `ttl`."""

    def __init__(self, client: Any, table: str, clock: Clock) -> None:
        self._client, self._table, self._clock = client, table, clock

    def claim(self, run_id: str, task: str, attempt: int) -> bool:
        # The token recognizes this caller's own write, if its reply was lost and botocore sent it
        # again.
        token = str(uuid.uuid4())
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    KEY: {"S": key_of(run_id, task, attempt)},
                    "token": {"S": token},
                    "alive_until": {"N": self._lease_end()},
                    EXPIRY: {"N": self._expiry()},
                },
                ConditionExpression="attribute_not_exists(#key)",
                ExpressionAttributeNames={"#key": KEY},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as refused:
            if refused.response["Error"]["Code"] != _CONDITION_FAILED:
                raise
            existing: dict[str, Any] = dict(refused.response).get("Item") or {}  # type: ignore[assignment]
            return bool(existing.get("token") == {"S": token})
        return True

    def renew(self, run_id: str, task: str, attempt: int) -> None:
        """Extend the lease of a claim that this process was granted."""
        self._client.update_item(
            TableName=self._table,
            Key={KEY: {"S": key_of(run_id, task, attempt)}},
            UpdateExpression="SET alive_until = :until",
            ExpressionAttributeValues={":until": {"N": self._lease_end()}},
        )

    def is_leased(self, run_id: str, task: str, attempt: int) -> bool:
        """Return whether the process that claimed the attempt has renewed its lease recently."""
        response = self._client.get_item(
            TableName=self._table,
            Key={KEY: {"S": key_of(run_id, task, attempt)}},
            ConsistentRead=True,
            ProjectionExpression="alive_until",
        )
        until = response.get("Item", {}).get("alive_until")
        return until is not None and float(until["N"]) > self._clock()

    def cancel(self, run_id: str, task: str, attempt: int) -> None:
        """Store that the attempt shall stop, or not start."""
        self._client.update_item(
            TableName=self._table,
            Key={KEY: {"S": key_of(run_id, task, attempt)}},
            UpdateExpression="SET cancelled = :true, #expiry = :expiry",
            ExpressionAttributeNames={"#expiry": EXPIRY},
            ExpressionAttributeValues={":true": {"BOOL": True}, ":expiry": {"N": self._expiry()}},
        )

    def is_cancelled(self, run_id: str, task: str, attempt: int) -> bool:
        """Return whether `cancel` was called for the attempt."""
        response = self._client.get_item(
            TableName=self._table,
            Key={KEY: {"S": key_of(run_id, task, attempt)}},
            ConsistentRead=True,
            ProjectionExpression="cancelled",
        )
        return "cancelled" in response.get("Item", {})

    def claimed(self, attempts: Sequence[AttemptKey]) -> set[AttemptKey]:
        """Return which attempts are claimed or cancelled.

        One of the last second may be missing, and one that a throttled table did not read.
        """
        found: set[str] = set()
        keys = {key_of(*attempt): attempt for attempt in attempts}
        remaining = iter(keys)
        while some := list(islice(remaining, _KEYS_MAX)):
            answer = self._client.batch_get_item(
                RequestItems={
                    self._table: {
                        "Keys": [{KEY: {"S": key}} for key in some],
                        "ProjectionExpression": KEY,
                    }
                }
            )
            found |= {item[KEY]["S"] for item in answer["Responses"].get(self._table, ())}
        return {keys[key] for key in found}

    def note_queued(self, run_id: str, task: str, attempt: int) -> None:
        """Store that `queued` was published for an attempt that was not claimed then.

        It is an item of its own, so it does not look like a claim.
        """
        self._client.update_item(
            TableName=self._table,
            Key={KEY: {"S": _queued_key(run_id, task, attempt)}},
            UpdateExpression="SET #expiry = :expiry",
            ExpressionAttributeNames={"#expiry": EXPIRY},
            ExpressionAttributeValues={":expiry": {"N": self._expiry()}},
        )

    def is_queued(self, run_id: str, task: str, attempt: int) -> bool:
        """Return whether `note_queued` was called for the attempt."""
        response = self._client.get_item(
            TableName=self._table,
            Key={KEY: {"S": _queued_key(run_id, task, attempt)}},
            ConsistentRead=True,
            ProjectionExpression=KEY,
        )
        return "Item" in response

    def _lease_end(self) -> str:
        return f"{self._clock() + LEASE_S:.3f}"

    def _expiry(self) -> str:
        return str(int(self._clock()) + RETENTION_S)


def key_of(run_id: str, task: str, attempt: int) -> str:
    """Return the key of a claim; neither the id of a run nor the name of a task contains `#`."""
    return f"{run_id}#{task}#{attempt}"


def _queued_key(run_id: str, task: str, attempt: int) -> str:
    return f"{key_of(run_id, task, attempt)}#queued"

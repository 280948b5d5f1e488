"""Claims: the Claims port on DynamoDB, and where a cancellation is noted.

Law: of all calls for one attempt, at most one answers True, and it is never given back.

What "at most once" costs: whoever claimed an attempt and was killed before, in or after its body leaves a claim behind. The
command, delivered again, is not run again, and nothing is said of it: cerebro's clock tells, and a retry (if the task
declares any) is a new attempt with a claim of its own. Without a table, the same command delivered again runs the body
again: at least once. A team chooses by giving its server a table.

An attempt that is cancelled before it is claimed cannot be claimed any more.
"""

import uuid
from typing import Any, Final

from botocore.exceptions import ClientError

from cordyna_core.ports import Clock

KEY: Final = "pk"
EXPIRY: Final = "ttl"
KEPT_S: Final = 30 * 24 * 3600
"""Claims outlive every redelivery (SQS keeps a message for at most 14 days)."""

_NOT_MET: Final = "ConditionalCheckFailedException"


class DynamoDBClaims:
    """Claims in a table whose partition key is the text `pk`, and whose TTL attribute is `ttl`."""

    def __init__(self, client: Any, table: str, clock: Clock) -> None:
        self._client, self._table, self._clock = client, table, clock

    def claim(self, run_id: str, task: str, attempt: int) -> bool:
        # The token tells my own write, whose reply was lost and which botocore sent again, from somebody else's.
        token = str(uuid.uuid4())
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    KEY: {"S": key_of(run_id, task, attempt)},
                    "token": {"S": token},
                    EXPIRY: {"N": self._expiry()},
                },
                ConditionExpression="attribute_not_exists(#key)",
                ExpressionAttributeNames={"#key": KEY},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as refused:
            if refused.response["Error"]["Code"] != _NOT_MET:
                raise
            there: dict[str, Any] = dict(refused.response).get("Item") or {}  # type: ignore[assignment]
            return bool(there.get("token") == {"S": token})
        return True

    def cancel(self, run_id: str, task: str, attempt: int) -> None:
        """Note that the attempt shall stop, or not begin."""
        self._client.update_item(
            TableName=self._table,
            Key={KEY: {"S": key_of(run_id, task, attempt)}},
            UpdateExpression="SET cancelled = :true, #expiry = :expiry",
            ExpressionAttributeNames={"#expiry": EXPIRY},
            ExpressionAttributeValues={":true": {"BOOL": True}, ":expiry": {"N": self._expiry()}},
        )

    def is_cancelled(self, run_id: str, task: str, attempt: int) -> bool:
        """Whether `cancel` was called for the attempt."""
        found = self._client.get_item(
            TableName=self._table,
            Key={KEY: {"S": key_of(run_id, task, attempt)}},
            ConsistentRead=True,
            ProjectionExpression="cancelled",
        )
        return "cancelled" in found.get("Item", {})

    def _expiry(self) -> str:
        return str(int(self._clock()) + KEPT_S)


def key_of(run_id: str, task: str, attempt: int) -> str:
    """The claim's key: neither a run's id nor a task's name holds a `#`."""
    return f"{run_id}#{task}#{attempt}"

"""Access to one DynamoDB table: reads and conditional writes.

A read is strongly consistent unless its name says otherwise.

Invariant: a write whose condition fails returns the stored item, so that it need not be read again.
An item that cannot be decoded is named, with what to do about it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from cerebro.adapters.codecs import CAUSE_CHARS_MAX, DECODING_ERRORS, OtherFormat
from cerebro.ports import DamagedItem
from cordyna_core.errors import Conflict, ServiceError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Value = str | float | bytes
Item = dict[str, Value]
Key = tuple[str, str]
"""Partition key `pk` and sort key `sk`."""

BATCH_GET_MAX_ITEMS: Final = 100
"""The limit of BatchGetItem (Amazon DynamoDB quotas)."""

EMPTY_BATCHES_MAX: Final = 6
"""Consecutive answers of BatchGetItem without any item, before a batch read gives up."""

FIRST_WAIT_S: Final = 0.05

_RESTORE: Final = "restore it from a backup of the table (docs/restoring.md), then redrive"
RESTORE_GRAPH: Final = (
    f"{_RESTORE}; without one, delete GRAPH / HEAD, and let every server declare itself again"
)
_NEXT: Final = {
    "TASK#": "delete it: the task runs once more instead of reusing that result",
    "SERVERS": "delete it: the next event of the server writes it again",
    "RUN#": f"{_RESTORE}; without one, delete it, and invoke the task of the run again",
    "SWEPT": "delete it: the next sweep begins with the oldest run",
    "PLAN#": "invoke the task again: that writes the plan once more",
    "GRAPH": RESTORE_GRAPH,
}
"""What to do about a damaged item, by the beginning of its partition key."""

T = TypeVar("T")


class Table:
    """One table. `sleep` (seconds) is called while DynamoDB leaves a whole batch unprocessed."""

    def __init__(self, client: "DynamoDBClient", name: str, sleep: Callable[[float], None]) -> None:
        self._client, self._name, self._sleep = client, name, sleep

    def get(self, key: Key) -> Item | None:
        return self._get(key, is_consistent=True)

    def get_recent(self, key: Key) -> Item | None:
        """Return the item as it is or was a moment ago, which costs half of a consistent read."""
        return self._get(key, is_consistent=False)

    def _get(self, key: Key, *, is_consistent: bool) -> Item | None:
        answer = self._client.get_item(
            TableName=self._name, Key=_encode_key(key), ConsistentRead=is_consistent
        )
        return _decode(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key], *, is_consistent: bool = True) -> dict[Key, Item]:
        """Return the items that exist, by key; unless `is_consistent`, as `get_recent` reads them.

        Raises:
            ServiceError: if DynamoDB returned no item EMPTY_BATCHES_MAX times in succession.
        """
        items: dict[Key, Item] = {}
        rest = iter(dict.fromkeys(keys))
        while batch := list(islice(rest, BATCH_GET_MAX_ITEMS)):
            for item in self._read_batch(batch, is_consistent=is_consistent):
                items[str(item["pk"]), str(item["sk"])] = item
        return items

    def query(
        self,
        pk: str,
        prefix: str = "",
        *,
        after: str = "",
        backwards: bool = False,
        page: int | None = None,
    ) -> Iterator[Item]:
        """Yield the items of a partition whose sort key begins with `prefix`, in order.

        `page` limits the items of one request. `after`, instead of a prefix: only greater keys.
        """
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": _encode_value(pk)},
            "ConsistentRead": True,
            "ScanIndexForward": not backwards,
        }
        if prefix:
            request["KeyConditionExpression"] += " and begins_with(sk, :prefix)"
            request["ExpressionAttributeValues"][":prefix"] = _encode_value(prefix)
        if after:
            request["KeyConditionExpression"] += " and sk > :after"
            request["ExpressionAttributeValues"][":after"] = _encode_value(after)
        if page is not None:
            request["Limit"] = page
        while True:
            answer = self._client.query(**request)
            yield from map(_decode, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def decoded(self, item: Item, decode: Callable[[Item], T]) -> T:
        """Return what an item holds.

        Raises:
            DamagedItem: it cannot be decoded.
            OtherFormat: another version wrote it.
        """
        pk, sk = str(item.get("pk")), str(item.get("sk"))
        name = f"item {pk} / {sk} of table {self._name}"
        try:
            return decode(item)
        except OtherFormat as other:
            raise OtherFormat(f"{name}: {other.what}", why=other.why, next=other.next) from other
        except DECODING_ERRORS as cause:
            what_next = (text for prefix, text in _NEXT.items() if pk.startswith(prefix))
            raise DamagedItem(
                f"{name} is damaged.",
                why=f"{type(cause).__name__}: {str(cause)[:CAUSE_CHARS_MAX]}",
                next=next(what_next, _RESTORE),
            ) from cause

    def put(self, item: Item, only_if: str = "", **values: Value) -> Item | None:
        """Put the item. Returns None, or the stored item if the condition `only_if` failed.

        `only_if` is a condition expression with `#name` for attributes and `:name` for `values`.
        Raises Conflict if the condition failed and no item is stored.
        """
        return self._write(self._client.put_item, {"Item": _encode_item(item)}, only_if, values)

    def put_if_still(self, item: Item, attribute: str, seen: Value | None) -> Item | None:
        """Put the item if `attribute` still equals `seen` (None: if no item exists).

        Returns as `put` does.
        """
        if seen is None:
            return self.put(item, "attribute_not_exists(#pk)")
        return self.put(item, f"#{attribute} = :seen", seen=seen)

    def update(self, key: Key, change: str, only_if: str = "", **values: Value) -> Item | None:
        """Update or create an item. Returns as `put` does."""
        return self._write(
            self._client.update_item,
            {"Key": _encode_key(key), "UpdateExpression": change},
            only_if,
            values,
        )

    def delete(self, key: Key, only_if: str = "", **values: Value) -> Item | None:
        """Delete an item. Returns as `put` does."""
        return self._write(self._client.delete_item, {"Key": _encode_key(key)}, only_if, values)

    def _write(
        self,
        call: Callable[..., Any],
        request: dict[str, Any],
        only_if: str,
        values: Mapping[str, Value],
    ) -> Item | None:
        if only_if:
            request |= {
                "ConditionExpression": only_if,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        # All names are placeholders: many common names are reserved words of DynamoDB.
        if names := set(re.findall(r"#(\w+)", only_if + request.get("UpdateExpression", ""))):
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
        if values:
            request["ExpressionAttributeValues"] = {
                f":{name}": _encode_value(value) for name, value in values.items()
            }
        try:
            call(TableName=self._name, **request)
        except ClientError as refused:
            if refused.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            # The type of botocore's response lacks `Item`.
            stored: dict[str, Any] | None = refused.response.get("Item")  # type: ignore[assignment]
            if stored is None:
                raise Conflict("an item that was read no longer exists") from refused
            return _decode(stored)
        return None

    def _read_batch(self, batch: list[Key], *, is_consistent: bool) -> Iterator[Item]:
        keys = [_encode_key(key) for key in batch]
        request: Any = {self._name: {"Keys": keys, "ConsistentRead": is_consistent}}
        empty_answers = 0
        while request:
            answer = self._client.batch_get_item(RequestItems=request)
            items = answer["Responses"].get(self._name, [])
            yield from map(_decode, items)
            request = answer.get("UnprocessedKeys")
            # An answer with some items was cut by size, not throttled: ask on without waiting.
            if request and not items:
                empty_answers += 1
                if empty_answers == EMPTY_BATCHES_MAX:
                    raise ServiceError(
                        f"table {self._name} left {len(request[self._name]['Keys'])} items unread.",
                        why="DynamoDB is throttling.",
                        next="wait: it is tried again; if it lasts, see the throttles alarm.",
                    )
                self._sleep(FIRST_WAIT_S * 2**empty_answers)


def _encode_value(value: Value) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    return {"B": value} if isinstance(value, bytes) else {"N": repr(value)}


def _encode_key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _encode_item(item: Item) -> dict[str, Any]:
    return {name: _encode_value(value) for name, value in item.items()}


def _decode(item: Mapping[str, Mapping[str, Any]]) -> Item:
    decoded: Item = {}
    for name, attribute in item.items():
        ((kind, value),) = attribute.items()
        decoded[name] = float(value) if kind == "N" else value
    return decoded

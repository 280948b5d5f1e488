"""DynamoDB's table: items of text, numbers and bytes, read strongly and written conditionally.

Law: a condition that does not hold answers with the item that is there, so nobody needs to read it again.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from cordyna_core.errors import Conflict, ServiceError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Value = str | float | bytes
Item = dict[str, Value]
Key = tuple[str, str]
"""Partition key `pk` and sort key `sk`."""

READ_AT_ONCE: Final = 100
"""Items of one BatchGetItem (Amazon DynamoDB quotas)."""

ATTEMPTS: Final = 6
FIRST_WAIT_S: Final = 0.05


class Table:
    """One table. `sleep` (seconds) is slept on when DynamoDB leaves a part of a batch for later."""

    def __init__(self, client: "DynamoDBClient", name: str, sleep: Callable[[float], None]) -> None:
        self._client, self._name, self._sleep = client, name, sleep

    def get(self, key: Key) -> Item | None:
        answer = self._client.get_item(TableName=self._name, Key=_key(key), ConsistentRead=True)
        return _read(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Those that are there.

        Raises:
            ServiceError: when DynamoDB gives nothing more of them ATTEMPTS times.
        """
        found: dict[Key, Item] = {}
        rest = iter(dict.fromkeys(keys))
        while batch := list(islice(rest, READ_AT_ONCE)):
            for item in self._read_batch(batch):
                found[str(item["pk"]), str(item["sk"])] = item
        return found

    def query(
        self, pk: str, prefix: str = "", *, backwards: bool = False, page: int | None = None
    ) -> Iterator[Item]:
        """The items of a partition whose sort key begins with `prefix`, by sort key; `page`: how many to read at once."""
        asked: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": _sent(pk)},
            "ConsistentRead": True,
            "ScanIndexForward": not backwards,
        }
        if prefix:
            asked["KeyConditionExpression"] += " and begins_with(sk, :prefix)"
            asked["ExpressionAttributeValues"][":prefix"] = _sent(prefix)
        if page is not None:
            asked["Limit"] = page
        while True:
            answer = self._client.query(**asked)
            yield from map(_read, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def put(self, item: Item, only_if: str = "", **values: Value) -> Item | None:
        """Put the item. Returns None, or the item that is there when `only_if` does not hold.

        `only_if` is a condition expression with `#name` for attributes and `:name` for `values`.
        Raises Conflict when it does not hold and there is no item.
        """
        return self._write(self._client.put_item, {"Item": _item(item)}, only_if, values)

    def put_if_still(self, item: Item, attribute: str, seen: Value | None) -> Item | None:
        """Put the item if `attribute` is still `seen` (None: if there is no item). Answers as `put` does."""
        if seen is None:
            return self.put(item, "attribute_not_exists(#pk)")
        return self.put(item, f"#{attribute} = :seen", seen=seen)

    def update(self, key: Key, change: str, only_if: str = "", **values: Value) -> Item | None:
        """Change attributes of an item, or make it. Answers as `put` does."""
        return self._write(
            self._client.update_item,
            {"Key": _key(key), "UpdateExpression": change},
            only_if,
            values,
        )

    def delete(self, key: Key, only_if: str = "", **values: Value) -> Item | None:
        """Delete an item. Answers as `put` does."""
        return self._write(self._client.delete_item, {"Key": _key(key)}, only_if, values)

    def _write(
        self,
        call: Callable[..., Any],
        asked: dict[str, Any],
        only_if: str,
        values: Mapping[str, Value],
    ) -> Item | None:
        if only_if:
            asked |= {
                "ConditionExpression": only_if,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        # Every name goes through a placeholder: many good names are reserved words.
        if names := set(re.findall(r"#(\w+)", only_if + asked.get("UpdateExpression", ""))):
            asked["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
        if values:
            asked["ExpressionAttributeValues"] = {
                f":{name}": _sent(value) for name, value in values.items()
            }
        try:
            call(TableName=self._name, **asked)
        except ClientError as refused:
            if refused.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            there: dict[str, Any] | None = refused.response.get("Item")  # type: ignore[assignment]  # botocore's own type knows no Item
            if there is None:
                raise Conflict("an item that was read is gone") from refused
            return _read(there)
        return None

    def _read_batch(self, batch: list[Key]) -> Iterator[Item]:
        asked: Any = {self._name: {"Keys": [_key(key) for key in batch], "ConsistentRead": True}}
        fruitless = 0
        while asked:
            answer = self._client.batch_get_item(RequestItems=asked)
            items = answer["Responses"].get(self._name, [])
            yield from map(_read, items)
            asked = answer.get("UnprocessedKeys")
            # A large answer comes in parts, which is no reason to wait.
            if asked and not items:
                fruitless += 1
                if fruitless == ATTEMPTS:
                    raise ServiceError(
                        f"table {self._name} left {len(asked[self._name]['Keys'])} items unread.",
                        why="DynamoDB is throttling.",
                        next="wait: whatever needed this is tried again.",
                    )
                self._sleep(FIRST_WAIT_S * 2**fruitless)


def _sent(value: Value) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    return {"B": value} if isinstance(value, bytes) else {"N": repr(value)}


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _item(item: Item) -> dict[str, Any]:
    return {name: _sent(value) for name, value in item.items()}


def _read(item: Mapping[str, Mapping[str, Any]]) -> Item:
    read: Item = {}
    for name, sent in item.items():
        ((kind, value),) = sent.items()
        read[name] = float(value) if kind == "N" else value
    return read

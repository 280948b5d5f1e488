"""Chunks: a value that is too large for one DynamoDB item, stored as several.

Invariant: the first chunk is written last and holds their number, so a reader that finds it finds
them all. The same content is always cut at the same places, so two concurrent writers, even with
different zlib versions, write the same value.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from cerebro.adapters.aws.dynamodb_table import Item, Key, Table
from cerebro.adapters.codecs import decode_plan, encode_cached_result, encode_plan
from cerebro.core.model.plan import Plan, PlannedTask

RAW_BYTES_MAX: Final = 320_000
"""The size of a chunk before compression; incompressible content stays below 350 KB, too."""

Name = TypeVar("Name")
Value = TypeVar("Value")


def write_chunks(
    table: Table, key_of: Callable[[int], Key], chunks: Sequence[bytes], **also: float
) -> None:
    """Put every chunk, the first one last; each item carries `also`."""
    for number in reversed(range(len(chunks))):
        pk, sk = key_of(number)
        item: Item = {"pk": pk, "sk": sk, "chunk": chunks[number], "of": len(chunks), **also}
        table.put(item)


def read_chunks(
    table: Table,
    wanted: Mapping[Name, Callable[[int], Key]],
    decode: Callable[[list[bytes]], Value],
) -> dict[Name, Value]:
    """Return what the chunks of each of `wanted` hold (its name -> the key of its n-th chunk).

    What does not exist is left out.

    Raises:
        DamagedItem: a chunk is missing, or what they hold cannot be decoded.
    """
    firsts = table.get_many(key_of(0) for key_of in wanted.values())
    counts = {
        name: table.decoded(firsts[key_of(0)], _count)
        for name, key_of in wanted.items()
        if key_of(0) in firsts
    }
    items = firsts | table.get_many(
        wanted[name](number) for name, count in counts.items() for number in range(1, count)
    )

    def decoded(name: Name) -> Value:
        keys = [wanted[name](number) for number in range(counts[name])]
        return table.decoded(
            firsts[keys[0]], lambda _: decode([bytes_of(items[key]) for key in keys])
        )

    return {name: decoded(name) for name in counts}


def _count(item: Item) -> int:
    return int(item["of"])


def bytes_of(item: Item, attribute: str = "chunk") -> bytes:
    """Return a binary attribute."""
    value = item[attribute]
    assert isinstance(value, bytes)
    return value


def chunks_of_text(text: str) -> list[bytes]:
    """Return a text, compressed."""
    raw = text.encode()
    return [
        zlib.compress(raw[start : start + RAW_BYTES_MAX])
        for start in range(0, max(1, len(raw)), RAW_BYTES_MAX)
    ]


def text_of(chunks: Iterable[bytes]) -> str:
    """Return the inverse of `chunks_of_text`."""
    return b"".join(map(zlib.decompress, chunks)).decode()


def chunks_of_plan(plan: Plan) -> list[bytes]:
    """Return a plan, compressed; each chunk is some of its tasks."""
    return [encode_plan(Plan(tasks)) for tasks in _cut(plan.tasks)]


def plan_of_chunks(chunks: Iterable[bytes]) -> Plan:
    """Return the inverse of `chunks_of_plan`."""
    return Plan(tuple(task for chunk in chunks for task in decode_plan(chunk).tasks))


def _cut(tasks: Sequence[PlannedTask]) -> Iterator[tuple[PlannedTask, ...]]:
    chunk: list[PlannedTask] = []
    size = 0
    for task in tasks:
        task_bytes = _max_encoded_bytes(task)
        if chunk and size + task_bytes > RAW_BYTES_MAX:
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(task)
        size += task_bytes
    yield tuple(chunk)


def _max_encoded_bytes(task: PlannedTask) -> int:
    """Return an upper bound of the encoded size.

    Names are ASCII, parameters and owners need not be.
    """
    texts = sum(4 * len(text) + 3 for text in (*task.params, task.owner or ""))
    reused = 4 * len(encode_cached_result(task.reuses)) if task.reuses else 0
    return (
        100
        + reused
        + len(task.name)
        + len(task.server)
        + len(task.version)
        + texts
        + 7 * (len(task.upstream) + len(task.awaits))
    )

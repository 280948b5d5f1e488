"""The graph in DynamoDB: head, declarations, server states, and the last tick of each cron.

None of it expires.

Invariant: the head names only declarations that exist, and is replaced by one conditional write on
what was read.

Every invocation of a task reads the head, so it stays within one read unit: from some 50 servers on
it only names an item that holds their versions. That item never changes, and a process reads it
once per generation.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Final, cast

from cerebro.adapters.aws.dynamodb_chunks import (
    bytes_of,
    chunks_of_text,
    read_chunks,
    text_of,
    write_chunks,
)
from cerebro.adapters.aws.dynamodb_table import RESTORE_GRAPH, Item, Key, Table, Value
from cerebro.adapters.codecs import decode_declaration
from cerebro.adapters.readable_items import readable
from cerebro.core.graph.graph import Graph
from cerebro.core.graph.versions import Head, content_of
from cerebro.ports import DamagedItem, ServerSeen
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import content_id
from cordyna_core.contract.incidents import GraphChanged
from cordyna_core.contract.state_updates import ServerState

HEAD: Final = ("GRAPH", "HEAD")
HEAD_TEXT_MAX_BYTES: Final = 2_500
"""The versions of more servers are stored apart from the head, which then takes one read unit."""

_REFERENCE: Final = "@"

SERVERS: Final = "SERVERS"
"""Where signs of life were before they were sharded; read, and no longer written."""

SERVER_SHARDS: Final = 8
"""Every warm process writes one a minute and server: 1,000 servers are too many for one key."""

SIGN_OF_LIFE_INTERVAL_S: Final = 60.0
"""A process writes signs of life that carry no new state at most this often per server."""


class GraphItems:
    """The graph part of the Store port."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._graph = Graph.of({})
        self._versions: Mapping[str, str] = {}
        self._stored = ""
        """`servers` of the head that was read last: the versions, or the item that holds them."""
        self._noted: dict[str, float] = {}

    def read_graph(self) -> Graph:
        item = self._table.get(HEAD)
        if item is None or "generation" not in item:
            # Marks of incidents may be there before the first declaration is.
            marks = self._table.decoded(item, _marks) if item else frozenset[str]()
            return Graph.of({}).with_watched(marks)
        generation, stored = self._table.decoded(item, _head)
        if (generation, stored) != (self._graph.generation, self._stored):
            versions = self._versions_in(item, stored)
            if versions is None:
                if self._table.get(HEAD) != item:
                    # The head was replaced since it was read, and its item deleted.
                    return self.read_graph()
                raise _missing("the graph's head names an item", [stored])
            self._graph = self._graph.with_servers(self._declared(versions), generation, versions)
            self._versions, self._stored = versions, stored
        if "watched" in item or self._graph.watched:
            self._graph = self._graph.with_watched(self._table.decoded(item, _marks))
        return self._graph

    def _versions_in(self, head: Item, stored: str) -> dict[str, str] | None:
        """Return the versions that a head names.

        None if the item that holds them does not exist.
        """
        if stored.startswith(_REFERENCE):
            item = self._table.get(_versions_key(stored))
            return self._table.decoded(item, _versions_apart) if item else None
        return self._table.decoded(head, lambda _: _versions(stored))

    def _declared(self, versions: Mapping[str, str]) -> dict[str, ServerDeclared]:
        before = self._graph.declarations
        unknown = {
            server: version
            for server, version in versions.items()
            if self._versions.get(server) != version
        }
        declared = read_chunks(
            self._table,
            {server: _Declaration(server, version) for server, version in unknown.items()},
            lambda chunks: decode_declaration(text_of(chunks)),
        )
        if missing := unknown.keys() - declared.keys():
            raise _missing("the graph names declarations", sorted(missing))
        # In the order of the head.
        return {server: declared.get(server) or before[server] for server in versions}

    def write_declaration(self, version: str, declared: ServerDeclared) -> None:
        write_chunks(
            self._table,
            _Declaration(declared.server, version),
            chunks_of_text(content_of(declared)),
        )

    def write_head(self, new: Head, seen: Head) -> bool:
        stored, before = _stored(new), _stored(seen)
        if stored.startswith(_REFERENCE):
            pk, sk = _versions_key(stored)
            (chunk,) = chunks_of_text(_text(new))
            self._table.put({"pk": pk, "sk": sk, "chunk": chunk})
        is_written = self._replace_head(new, stored, seen, before)
        # What no head names any more. (After a crash here it stays, and costs nothing to keep.)
        unused = before if is_written else stored
        if unused.startswith(_REFERENCE):
            self._table.delete(_versions_key(unused))
        return is_written

    def _replace_head(self, new: Head, stored: str, seen: Head, before: str) -> bool:
        written: dict[str, Value] = {"generation": new.generation, "servers": stored}
        known: dict[str, Value] = {}
        # An update, because the marks of incidents stay.
        change = "set #generation = :generation, #servers = :servers"
        if seen == Head():
            only_if = "attribute_not_exists(#generation)"
        else:
            only_if = "#generation = :seen_generation and #servers = :seen_servers"
            known = {"seen_generation": seen.generation, "seen_servers": before}
        conflicting = self._table.update(HEAD, change, only_if, **written, **known)
        # The condition also fails when our own write succeeded and only its answer was lost.
        return conflicting is None or all(
            conflicting.get(name) == value for name, value in written.items()
        )

    def read_graph_change(self, server: str, version: str) -> GraphChanged | None:
        changes = read_chunks(
            self._table,
            {server: _Change(server, version)},
            lambda chunks: GraphChanged.model_validate_json(text_of(chunks)),
        )
        return changes.get(server)

    def write_graph_change(self, server: str, version: str, change: GraphChanged | None) -> None:
        key_of = _Change(server, version)
        if change is None:
            # Without the first chunk, which is found first, the others are never read.
            self._table.delete(key_of(0))
            return
        text = change.model_dump_json(exclude_none=True)
        write_chunks(self._table, key_of, chunks_of_text(text))

    def note_server(self, server: str, state: ServerState | None, at: float) -> None:
        key = _server_key(server)
        if state is None and at - self._noted.get(server, 0.0) < SIGN_OF_LIFE_INTERVAL_S:
            return
        set_state, values = (", #state = :state", {"state": state}) if state else ("", {})
        newer = self._table.update(
            key,
            f"set #at = :at{set_state}",
            "attribute_not_exists(#at) or #at <= :at",
            at=at,
            **values,
        )
        if newer is not None and state:
            # A newer sign of life arrived first, but it did not carry the state.
            self._table.update(key, "set #state = :state", state=state)
        self._noted[server] = at

    def note_missed_ack(self, server: str, at: float) -> None:
        # The next sign of life must be written: it ends the state `unresponsive`.
        self._noted.pop(server, None)
        self._table.update(
            _server_key(server),
            "set #missed_at = :at, #at = if_not_exists(#at, :never)",
            at=at,
            never=0,
        )

    def servers(self) -> list[ServerSeen]:
        seen: dict[str, ServerSeen] = {}
        for partition in (SERVERS, *map(_server_partition, range(SERVER_SHARDS))):
            items = self._table.query(partition)
            for entry in readable(items, lambda item: self._table.decoded(item, _seen)):
                if entry.server not in seen or entry.at >= seen[entry.server].at:
                    seen[entry.server] = entry
        return [seen[server] for server in sorted(seen)]

    def read_tick(self, task: str) -> float | None:
        item = self._table.get(_tick(task))
        return self._table.decoded(item, _nominal) if item else None

    def write_tick(self, task: str, nominal: float) -> None:
        self._table.update(
            _tick(task),
            "set #nominal = :nominal",
            "attribute_not_exists(#nominal) or #nominal < :nominal",
            nominal=nominal,
        )


class _Change:
    """The keys of the chunks of a change of the graph that is not published."""

    def __init__(self, server: str, version: str) -> None:
        self._prefix = f"CHANGE#{server}#{version}#"

    def __call__(self, number: int) -> Key:
        return "GRAPH", f"{self._prefix}{number}"


class _Declaration:
    """The keys of a declaration's chunks."""

    def __init__(self, server: str, version: str) -> None:
        self._prefix = f"SERVER#{server}#{version}#"

    def __call__(self, number: int) -> Key:
        return "GRAPH", f"{self._prefix}{number}"


def _server_partition(shard: int) -> str:
    return f"{SERVERS}#{shard}"


def _server_key(server: str) -> Key:
    return _server_partition(zlib.crc32(server.encode()) % SERVER_SHARDS), server


def _seen(item: Item) -> ServerSeen:
    missed_at = item.get("missed_at")
    state = cast("ServerState | None", item.get("state"))
    return ServerSeen(
        str(item["sk"]), state, float(item["at"]), None if missed_at is None else float(missed_at)
    )


def _missing(what: str, names: Iterable[str]) -> DamagedItem:
    return DamagedItem(
        f"{what} that its table does not hold: {', '.join(names)}.",
        why="the table was changed by hand, or restored in part.",
        next=RESTORE_GRAPH,
    )


def _tick(task: str) -> Key:
    return f"TICK#{task}", "TICK"


def _nominal(item: Item) -> float:
    return float(item["nominal"])


def _head(item: Item) -> tuple[int, str]:
    return int(item["generation"]), str(item["servers"])


def _versions(text: str) -> dict[str, str]:
    versions: dict[str, str] = json.loads(text)
    return {str(server): str(version) for server, version in versions.items()}


def _versions_apart(item: Item) -> dict[str, str]:
    return _versions(text_of([bytes_of(item)]))


def _marks(item: Item) -> frozenset[str]:
    return frozenset(json.loads(str(item["watched"]))) if "watched" in item else frozenset()


def _stored(head: Head) -> str:
    """Return what the head's item holds: the versions, or the name of the item that does."""
    text = _text(head)
    if len(text) <= HEAD_TEXT_MAX_BYTES:
        return text
    return f"{_REFERENCE}{head.generation}#{content_id('versions', text)}"


def _versions_key(reference: str) -> Key:
    return "GRAPH", f"VERSIONS#{reference.removeprefix(_REFERENCE)}"


def _text(head: Head) -> str:
    return json.dumps(dict(sorted(head.servers.items())), separators=(",", ":"))

"""Graph store: declarations, the graph's head, servers, cached results and cron ticks in SQLite.

Invariant: after a roll back nothing is remembered that was read or written in its transaction.
"""

import json
from typing import Final

from cerebro.adapters.codecs import decode_cached_result, decode_declaration, encode_cached_result
from cerebro.adapters.sqlite.database import SqliteFile, decoding
from cerebro.core.graph.graph import Graph
from cerebro.core.graph.versions import Head
from cerebro.core.model.plan import CachedResult
from cerebro.ports import ServerSeen
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.incidents import GraphChanged
from cordyna_core.contract.state_updates import ServerState

SIGN_OF_LIFE_INTERVAL_S: Final = 60.0
"""Signs of life without a new state are stored at most this often."""

_INSERT_STATE: Final = """
insert into servers (server, state, at) values (?, ?, ?)
on conflict (server) do update
set state = coalesce(excluded.state, state), at = max(at, excluded.at)
"""

_INSERT_MISSED_ACK: Final = """
insert into servers (server, at, missed_at) values (?, 0, ?)
on conflict (server) do update set missed_at = excluded.missed_at
"""

_INSERT_CACHED_RESULT: Final = """
insert into lasts (task, fingerprint, dispatched_at, run_id, last) values (?, ?, ?, ?, ?)
on conflict do update
set dispatched_at = excluded.dispatched_at, run_id = excluded.run_id, last = excluded.last
where excluded.dispatched_at > dispatched_at
"""

_INSERT_TICK: Final = """
insert into ticks values (?, ?)
on conflict (task) do update set nominal = max(nominal, excluded.nominal)
"""


class SqliteGraphStore:
    """The part of the Store port that is not about runs. The caller serializes access."""

    def __init__(self, file: SqliteFile) -> None:
        self._file, self._db = file, file.db
        self._graph: Graph = Graph.of({})
        self._versions: dict[str, str] = {}
        self._noted: dict[str, float] = {}
        file.on_roll_back(self._clear_caches)

    def _clear_caches(self) -> None:
        self._graph, self._versions = Graph.of({}, -1), {}
        self._noted.clear()

    def read_graph(self) -> Graph:
        row = self._db.execute("select generation, servers from head").fetchone()
        if row is not None and row[0] != self._graph.generation:
            with decoding(self._file.path, "head", 1):
                versions: dict[str, str] = dict(json.loads(row[1]).items())
            declarations = {
                server: self._declared(server, version) for server, version in versions.items()
            }
            self._graph, self._versions = (
                self._graph.with_servers(declarations, row[0], versions),
                versions,
            )
        marks = self._db.execute("select mark from marks").fetchall()
        if marks or self._graph.watched:
            self._graph = self._graph.with_watched(frozenset(mark for (mark,) in marks))
        return self._graph

    def _declared(self, server: str, version: str) -> ServerDeclared:
        if self._versions.get(server) == version:
            return self._graph.declarations[server]
        row = self._db.execute(
            "select declared from declarations where version = ?", (version,)
        ).fetchone()
        # A missing row is a kind of damage, too: the head names only what was written before.
        with decoding(self._file.path, "declarations", version):
            return decode_declaration(row[0])

    def write_declaration(self, version: str, declared: ServerDeclared) -> None:
        self._db.execute(
            "insert or replace into declarations values (?, ?)",
            (version, declared.model_dump_json(exclude_none=True)),
        )

    def write_head(self, new: Head, seen: Head) -> bool:
        if self.read_graph().head != seen:
            return False
        self._db.execute(
            "insert or replace into head values (1, ?, ?)",
            (new.generation, json.dumps(dict(new.servers))),
        )
        return True

    def read_graph_change(self, server: str, version: str) -> GraphChanged | None:
        row = self._db.execute(
            "select change from graph_changes where server = ? and version = ?", (server, version)
        ).fetchone()
        with decoding(self._file.path, "graph_changes", f"({server}, {version})"):
            return GraphChanged.model_validate_json(row[0]) if row else None

    def write_graph_change(self, server: str, version: str, change: GraphChanged | None) -> None:
        if change is None:
            self._db.execute(
                "delete from graph_changes where server = ? and version = ?", (server, version)
            )
            return
        text = change.model_dump_json(exclude_none=True)
        self._db.execute(
            "insert or replace into graph_changes values (?, ?, ?)", (server, version, text)
        )

    def note_server(self, server: str, state: ServerState | None, at: float) -> None:
        if state is None and abs(at - self._noted.get(server, 0.0)) < SIGN_OF_LIFE_INTERVAL_S:
            return
        self._noted[server] = at
        self._db.execute(_INSERT_STATE, (server, state, at))

    def note_missed_ack(self, server: str, at: float) -> None:
        self._noted.pop(server, None)
        self._db.execute(_INSERT_MISSED_ACK, (server, at))

    def servers(self) -> list[ServerSeen]:
        rows = self._db.execute("select server, state, at, missed_at from servers order by server")
        return [ServerSeen(*row) for row in rows]

    def read_cached_result(self, task: str, fingerprint: str) -> CachedResult | None:
        row = self._db.execute(
            "select last from lasts where task = ? and fingerprint = ?", (task, fingerprint)
        ).fetchone()
        with decoding(self._file.path, "lasts", f"({task}, {fingerprint})"):
            return decode_cached_result(row[0]) if row else None

    def write_cached_result(self, task: str, fingerprint: str, result: CachedResult) -> None:
        self._db.execute(
            _INSERT_CACHED_RESULT,
            (task, fingerprint, result.dispatched_at, result.run_id, encode_cached_result(result)),
        )

    def read_tick(self, task: str) -> float | None:
        row = self._db.execute("select nominal from ticks where task = ?", (task,)).fetchone()
        return row[0] if row else None

    def write_tick(self, task: str, nominal: float) -> None:
        self._db.execute(_INSERT_TICK, (task, nominal))

    def forget_after(self, at: float) -> None:
        """Forget results and ticks of later times, and when servers were seen then."""
        self._noted.clear()
        self._db.execute("delete from lasts where dispatched_at > ?", (at,))
        self._db.execute("delete from ticks where nominal > ?", (at,))
        self._db.execute("update servers set at = ? where at > ?", (at, at))
        self._db.execute("update servers set missed_at = null where missed_at > ?", (at,))

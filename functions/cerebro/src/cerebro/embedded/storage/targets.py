"""Targets: what a home knows about the servers that were named to it, since they last loaded.

Invariant: a server whose files have not changed need not be loaded to be shown. One that failed to
load keeps its last accepted declaration.
"""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final, Protocol

from cerebro.adapters.sqlite.database import SqliteFile


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """How busy a server is: its attempts as (run, task, attempt)."""

    server: str
    state: str
    concurrency: int
    running: Sequence[tuple[str, str, int]] = ()
    waiting: Sequence[tuple[str, str, int]] = ()
    mode: str = ""
    mode_reason: str = ""
    pids: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """One target, such as `shop.py:server`: the server it declared, or why it failed to load.

    `fingerprint` identifies the state of its files and what it declared; `server` is the last known
    name; `is_serving`: an earlier version still runs its tasks although this one did not load.
    """

    target: str
    server: str | None
    fingerprint: str
    error: str | None
    is_serving: bool
    at: float


class TargetTable(Protocol):
    """The states of targets, stored beside the facts."""

    def read(self, target: str) -> TargetState | None: ...
    def write(self, state: TargetState) -> None: ...
    def failed(self) -> list[TargetState]:
        """Return the targets that failed to load the last time."""
        ...

    def keep_only(self, targets: Sequence[str]) -> None:
        """Forget all other targets."""
        ...

    def write_loads(self, loads: Sequence[ServerLoad]) -> None:
        """Store how busy the servers are."""
        ...

    def read_loads(self) -> Sequence[ServerLoad]:
        """Return how busy the servers were when the driver last looked; empty without a driver."""
        ...


class MemoryTargets:
    """Implements TargetTable for the life of the process."""

    def __init__(self) -> None:
        self._states: dict[str, TargetState] = {}
        self._loads: Sequence[ServerLoad] = ()

    def read(self, target: str) -> TargetState | None:
        return self._states.get(target)

    def write(self, state: TargetState) -> None:
        self._states[state.target] = state

    def failed(self) -> list[TargetState]:
        return [state for state in self._states.values() if state.error is not None]

    def keep_only(self, targets: Sequence[str]) -> None:
        self._states = {key: state for key, state in self._states.items() if key in targets}

    def write_loads(self, loads: Sequence[ServerLoad]) -> None:
        self._loads = tuple(loads)

    def read_loads(self) -> Sequence[ServerLoad]:
        return self._loads


_COLUMNS: Final = "target, server, fingerprint, error, serving, at"


class SqliteTargets:
    """Implements TargetTable in the file of a home."""

    def __init__(self, file: SqliteFile) -> None:
        self._db = file.db

    def read(self, target: str) -> TargetState | None:
        row = self._db.execute(
            f"select {_COLUMNS} from targets where target = ?",  # noqa: S608 a constant
            (target,),
        ).fetchone()
        return _state(row) if row else None

    def write(self, state: TargetState) -> None:
        self._db.execute(
            "insert or replace into targets values (?, ?, ?, ?, ?, ?)",
            (
                state.target,
                state.server,
                state.fingerprint,
                state.error,
                state.is_serving,
                state.at,
            ),
        )

    def failed(self) -> list[TargetState]:
        rows = self._db.execute(
            f"select {_COLUMNS} from targets where error is not null"  # noqa: S608 a constant
            " order by target"
        )
        return [_state(row) for row in rows]

    def keep_only(self, targets: Sequence[str]) -> None:
        stored = {target for (target,) in self._db.execute("select target from targets")}
        self._db.executemany(
            "delete from targets where target = ?",
            [(target,) for target in stored.difference(targets)],
        )

    def write_loads(self, loads: Sequence[ServerLoad]) -> None:
        text = json.dumps([astuple(load) for load in loads])
        self._db.execute("insert or replace into loads values (1, ?)", (text,))

    def read_loads(self) -> Sequence[ServerLoad]:
        row = self._db.execute("select loads from loads").fetchone()
        return [ServerLoad(*fields) for fields in json.loads(row[0])] if row else []


def _state(row: tuple[str, str | None, str, str | None, int, float]) -> TargetState:
    target, server, fingerprint, error, serving, at = row
    return TargetState(
        target=target,
        server=server,
        fingerprint=fingerprint,
        error=error,
        is_serving=bool(serving),
        at=at,
    )

"""Events: what the pool reports to the engine, in the order in which it happened.

Invariant: of one attempt, AttemptEnded is the last event.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.worker.message_ids import derived_id
from cordyna_core.worker.protocol import FINAL_STATES, AttemptKey

Outcome = Literal[
    "reused", "retired", "died", "skipped", "stale", "cancelled", "run_timeout", "drain",
    "not_loaded",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A server has loaded, or loaded again. `detail` is its ServerDeclared."""

    target: str
    server: str
    detail: dict[str, Any]
    mode: Literal["fork", "spawn", "exec"]
    mode_reason: str
    concurrency: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailed:
    """A server could not be loaded. `still_serving`: an earlier generation still runs its tasks."""

    target: str
    server: str | None
    error: str
    still_serving: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StateUpdate:
    """A valid TaskStateChanged of an attempt, from its body or from the host in its name."""

    server: str
    key: AttemptKey
    message: TaskStateChanged
    is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePublished:
    """Another message of a server: InvokeTask, CancelRun or RetryRun."""

    server: str
    key: AttemptKey
    detail_type: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLines:
    """Output of an attempt, read at `at`. `text` is exact: pieces of a stream are joined as is."""

    server: str
    key: AttemptKey
    stream: Literal["stdout", "stderr", "log"]
    text: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputCut:
    """How many bytes of an attempt's output were left out so far."""

    server: str
    key: AttemptKey
    cut_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOutput:
    """What a server printed outside of attempts: while it was imported, or in an idle body."""

    target: str
    stream: Literal["stdout", "stderr"]
    text: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDied:
    """A body's process ended during an attempt; its StateUpdate follows."""

    key: AttemptKey
    exit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFailed:
    """A further worker of a loaded server could not be started."""

    target: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """Nothing of this attempt runs any more, and its log is complete. Follows its final state.

    `outcome`: `reused` or `retired` (what became of its body), `died`, `run_timeout`, `cancelled`,
    `drain` (cut without an answer, or not started); `skipped`, `stale`, `not_loaded`: not started.
    """

    server: str
    key: AttemptKey
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A frame of a worker that could not be handled."""

    key: AttemptKey | None
    why: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """One server for `dyna servers` and `dyna why`."""

    target: str
    server: str | None
    state: Literal["ready", "loading", "failed"]
    mode: Literal["fork", "spawn", "exec"] | None
    mode_reason: str
    concurrency: int
    running: tuple[AttemptKey, ...]
    waiting: tuple[AttemptKey, ...]
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """The answer to `request_busy`."""

    servers: tuple[ServerStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The host has started, and no body of an earlier engine is left."""

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """No attempt is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLost:
    """The host ended or stopped answering. It has been started again, and loads its servers."""

    why: str


Event = (
    Declared
    | LoadFailed
    | StateUpdate
    | MessagePublished
    | OutputLines
    | OutputCut
    | ServerOutput
    | WorkerDied
    | WorkerFailed
    | AttemptEnded
    | DeadLetter
    | Busy
    | Ready
    | Drained
    | HostLost
)


def events_from(fields: dict[str, Any]) -> list[Event]:
    """Return the events that one line of the host says; none for what only the pool needs."""
    if fields["event"] == "state":
        return _state(fields)
    decode = _DECODERS.get(fields["event"])
    return [] if decode is None else [decode(fields)]


def _key(fields: dict[str, Any]) -> AttemptKey:
    return AttemptKey(*fields["key"])


def _state(fields: dict[str, Any]) -> list[Event]:
    detail = fields["frame"]["detail"]
    started_at = fields.get("started_at")
    if started_at is not None:
        detail["started_at"] = utc(int(started_at * 1000) / 1000)
    key = AttemptKey(detail["run_id"], detail["task"], detail["attempt"])
    events: list[Event] = []
    try:
        events.append(state_update(detail))
    except ValidationError as invalid:
        fault = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
        why = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
        events.append(DeadLetter(key=key, why=why, text=json.dumps(detail, default=str)[:1024]))
        if detail["state"] in FINAL_STATES:
            events.append(_refused_final(detail, why))
    ended = fields.get("ended")
    if ended is not None:
        events.append(AttemptEnded(server=detail["server"], key=key, outcome=ended))
    return events


def state_update(detail: dict[str, Any]) -> StateUpdate:
    """Return the event for a detail of TaskStateChanged. Raises ValidationError."""
    message = TaskStateChanged.model_validate(detail)
    return StateUpdate(
        server=message.server,
        key=AttemptKey(message.run_id, message.task, message.attempt),
        message=message,
        is_final=message.state in FINAL_STATES,
    )


def _refused_final(detail: dict[str, Any], why: str) -> StateUpdate:
    """Return the final state of an attempt whose own is not of the contract."""
    error = {
        "type": "BadFrame",
        "message": f"the worker's final state is not of the contract: {why}"[:1024],
        "retryable": False,
    }
    identity = {name: detail[name] for name in ("server", "run_id", "task", "attempt")}
    message_id = derived_id("TaskStateChanged", *list(identity.values())[1:], "error")
    reason = {"state": "error", "reason": "failed_terminal", "error": error}
    return state_update({**identity, **reason, "meta": {"id": message_id}})


def _plain(kind: type[Any]) -> Any:
    """Return a decoder for an event whose fields are those of the line."""

    def decode(fields: dict[str, Any]) -> Event:
        values = {name: value for name, value in fields.items() if name != "event"}
        if values.get("key") is not None:
            values["key"] = _key(fields)
        event: Event = kind(**values)
        return event

    return decode


def _cut(fields: dict[str, Any]) -> Event:
    return OutputCut(server=fields["server"], key=_key(fields), cut_bytes=fields["bytes"])


def _busy(fields: dict[str, Any]) -> Event:
    return Busy(servers=tuple(_status(server) for server in fields["servers"]))


def _status(server: dict[str, Any]) -> ServerStatus:
    keys = {
        name: tuple(AttemptKey(*key) for key in server[name]) for name in ("running", "waiting")
    }
    return ServerStatus(**{**server, **keys, "pids": tuple(server["pids"])})


_DECODERS = {
    "declared": _plain(Declared),
    "load_failed": _plain(LoadFailed),
    "message": _plain(MessagePublished),
    "output": _plain(OutputLines),
    "cut": _cut,
    "server_output": _plain(ServerOutput),
    "died": _plain(WorkerDied),
    "worker_failed": _plain(WorkerFailed),
    "ended": _plain(AttemptEnded),
    "dead_letter": _plain(DeadLetter),
    "busy": _busy,
    "ready": _plain(Ready),
    "drained": _plain(Drained),
}

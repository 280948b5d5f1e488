"""A server of the host whose worker process is the test: frames go in, events come out."""

import json
from types import SimpleNamespace
from typing import Any, Final

from cordyna_core.worker.host.attempt_record import AttemptRecord
from cordyna_core.worker.host.generation import Generation
from cordyna_core.worker.host.loop import Loop
from cordyna_core.worker.host.server_entry import ServerEntry
from cordyna_core.worker.host.worker import Worker
from cordyna_core.worker.pool.events import Event, events_from
from cordyna_core.worker.protocol import AttemptKey, BadFrame, frame_bytes, parse_frame
from cordyna_core.worker.settings import Settings
from cordyna_core.worker.spec import ServerSpec
from cordyna_core.worker.verdicts import AttemptCommand

KEY: Final = AttemptKey("0" * 26, "a", 1)
_DEFAULTS: Final = Settings()


class Link:
    """Takes what the host says, as the engine reads it."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def event(self, kind: str, **fields: Any) -> None:
        self.events += events_from(json.loads(json.dumps({"event": kind, **fields})))

    def state(
        self, frame: bytes, ended: str | None = None, started_at: float | None = None
    ) -> None:
        extra = {"ended": ended, "started_at": started_at}
        fields = {name: value for name, value in extra.items() if value is not None}
        self.event("state", frame=json.loads(frame), **fields)

    def started(self, frame: bytes) -> None:
        self.state(frame)

    def ended(self, **fields: Any) -> None:
        self.event("ended", **fields)


class Anything:
    """Takes any call of any method."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


class Transport(Anything):
    """Notes what the worker gets. `is_open`: whether a process may still write output."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.is_open = False
        self.was_asked_to_exit = False

    def start_attempt(self, frame: bytes, output: object) -> None:
        self.frames.append(frame)

    def has_open_output(self) -> bool:
        return self.is_open

    def ask_to_exit(self) -> None:
        self.was_asked_to_exit = True


class Server:
    """An `exec:` server whose process is the test."""

    def __init__(self, settings: Settings = _DEFAULTS, *, concurrency: int = 1) -> None:
        self.link = Link()
        self.seconds = 1000.0
        services: Any = SimpleNamespace(
            loop=Loop(lambda: self.seconds), link=self.link, settings=settings, token="",
            children=Anything(), monotonic=lambda: self.seconds, now=lambda: self.seconds,
        )  # fmt: skip
        owner: Any = Anything()
        spec = ServerSpec("exec:x", concurrency=concurrency)
        self.services = services
        self.entry = ServerEntry(services, owner, spec)
        generation = Generation(services, self.entry, spec, 1)
        self.entry._next = generation
        self.entry._generations[generation] = None
        self.worker = Worker(services, generation)
        generation.workers[self.worker] = None
        self.transport = Transport()
        transport: Any = self.transport
        self.worker.transport = transport
        child: Any = SimpleNamespace(
            pid=7, exit_code=None, signal_group=lambda number: None, is_group_alive=lambda: False,
            reap=lambda: None,
        )  # fmt: skip
        self.worker.set_child(child)

    def send(self, kind: str, detail: dict[str, Any], **fields: Any) -> None:
        """Handle one line of the worker."""
        try:
            item = parse_frame(frame_bytes(kind, detail, **fields))
        except BadFrame as bad:
            self.worker.on_item(bad)
        else:
            self.worker.on_item(item)

    def begin(self) -> None:
        """Declare the server, and give it an attempt."""
        self.send("ServerDeclared", {"server": "s"})
        self.run(KEY)
        assert self.worker.attempt is not None

    def run(self, key: AttemptKey, *, start_by: float = 2000.0) -> None:
        """Give the server an attempt."""
        command = AttemptCommand("s", key, 2000.0, start_by, 600.0, None, None, 0.0)
        self.entry.run(AttemptRecord(command, b'{"detail-type":"RunTask"}\n', self.services))

    def end(self, key: AttemptKey = KEY, **fields: Any) -> None:
        """The worker says that an attempt has completed."""
        self.send("TaskStateChanged", {**key._asdict(), "state": "completed"}, **fields)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and fire what becomes due."""
        self.seconds += seconds
        self.services.loop.timers.fire_due()

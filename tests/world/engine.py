"""Engine: a driver made of the embedded engine's message loop and servers that answer at once."""

from collections.abc import Iterator, Sequence
from typing import Any

from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import MemoryHome
from cerebro.ports import Store
from cordyna_core.contract.base import ErrorDescription, Message, Problem, meta_at
from cordyna_core.contract.commands import Command, RunTask
from cordyna_core.contract.envelope import Envelope, open_envelope, seal
from cordyna_core.contract.ids import CEREBRO, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from world.declarations import declared
from world.world import NOON, Delivered


class Engine:
    """Implements the driver of a world.

    `silent`: tasks whose server does not answer; `fails`: tasks whose body fails. All others
    complete at once.
    """

    def __init__(self, *, silent: Sequence[str] = (), fails: Sequence[str] = ()) -> None:
        self.now = NOON
        self.home = MemoryHome()
        self.commands: list[RunTask] = []
        self.silent, self.fails = set(silent), set(fails)
        self.loop = self._new_loop()

    # --- the driver ---------------------------------------------------------------------------
    @property
    def store(self) -> Store:
        return self.home.store

    @property
    def published(self) -> list[Message]:
        return [event.message for event in self.events() if event.source == CEREBRO]

    def handle(self, message: Delivered) -> None:
        assert isinstance(message, Envelope), "the loop makes its own timers, fan-outs and ticks"
        self.loop.put(self._sealed(message.message, message.source, message.id))
        self.settle()

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.loop.next_due()) is not None and due <= until:
            self.now = max(self.now, due)
            self.settle()
        self.now = until
        self.settle()

    # --- what only this driver can do ---------------------------------------------------------
    def declare(self, *servers: str, **fields: Any) -> list[Problem]:
        """Declare exactly these servers (`"a: x  y<-x"`) as one batch.

        Returns why they were rejected, nothing if they were accepted.
        """
        declarations = [
            declared(server.strip(), tasks, **fields)
            for server, _, tasks in (line.partition(":") for line in servers)
        ]
        return self.loop.declare(
            [
                self._sealed(declaration, server_source(declaration.server))
                for declaration in declarations
            ]
        )

    def restart(self) -> None:
        """Open the home with another engine."""
        self.loop = self._new_loop()
        self.loop.apply(self.store.read_graph())

    def settle(self) -> None:
        """Let everything happen that happens without time passing."""
        while self.loop.step():
            pass

    def events(self) -> Iterator[Envelope]:
        """What passed the bus, in order."""
        for event in self.home.event_log.events(None, 0):
            yield open_envelope(event.text)

    def events_of(self, kind: type[Message]) -> list[Envelope]:
        """What passed the bus of one kind, in order."""
        return [envelope for envelope in self.events() if isinstance(envelope.message, kind)]

    def _sealed(self, message: Message, source: str, event_id: str = "") -> str:
        event_id = (
            event_id
            or f"{type(message).__name__}-{len(self.home.event_log.events(None, 0))}-{self.now}"
        )
        if message.meta is None:
            message = message.model_copy(update={"meta": meta_at(self.now, event_id)})
        return seal(message, source, event_id, utc(self.now))

    def _new_loop(self) -> MessageLoop:
        return MessageLoop(self.home, lambda: self.now, to_server=self._answer)

    def _answer(self, command: Command, event: str) -> None:
        if not isinstance(command, RunTask):
            return
        assert open_envelope(event).message == command
        self.commands.append(command)
        if command.task in self.silent:
            return
        attempt = {
            "server": command.server,
            "run_id": command.run_id,
            "task": command.task,
            "attempt": command.attempt,
        }
        ended: dict[str, Any] = {"state": "completed", "output": {"made_by": command.task}}
        if command.task in self.fails:
            ended = {
                "state": "error",
                "reason": "failed",
                "error": ErrorDescription(type="ValueError", message="no such file"),
            }
        for fields in ({"state": "started"}, ended):
            update = TaskStateChanged.model_validate({**attempt, **fields})
            self.loop.put(self._sealed(update, server_source(command.server)))

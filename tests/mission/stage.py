"""Stage: the real cerebro on the embedded engine's loop, in virtual time, with servers that do what a test tells them.

A world is one line: `Stage("a: x  y<-x", "b: z<-x,y")` declares two servers with three tasks.
"""

from collections.abc import Iterator
from typing import Any

from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import MemoryHome
from cerebro.handlers import queries
from cordyna_core.contract.base import ErrorDescription, Message, Problem, meta_at
from cordyna_core.contract.commands import InvokeTask, RunTask
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.envelope import Envelope, open_envelope, seal
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import RunView, TaskView

NOON = 1_800_000_000.0


def declaration(line: str, **of_task: dict[str, Any]) -> ServerDeclared:
    """`"a: x  y<-x,z"` is server a with x, and y which needs x and z; keywords add to a task's declaration."""
    server, _, tasks = line.partition(":")
    declared = []
    for word in tasks.split():
        name, _, upstream = word.partition("<-")
        needs: dict[str, Any] = {"upstream": [u for u in upstream.split(",") if u]}
        declared.append(TaskDeclaration(name=name, **(needs | of_task.get(name, {}))))
    return ServerDeclared(server=server.strip(), tasks=declared)


class Stage:
    """`silent`: tasks whose server does not answer; `fails`: tasks whose body fails; all others complete at once."""

    def __init__(
        self,
        *servers: str,
        silent: tuple[str, ...] = (),
        fails: tuple[str, ...] = (),
        **of_task: dict[str, Any],
    ) -> None:
        self.now = NOON
        self.home = MemoryHome()
        self.commands: list[RunTask] = []
        self.silent, self.fails = set(silent), set(fails)
        self.loop = MessageLoop(self.home, lambda: self.now, to_server=self._hear)
        self.rejected = self.declare(*servers, **of_task)

    def declare(self, *servers: str, **of_task: dict[str, Any]) -> list[Problem]:
        """Declare exactly these servers, as one batch."""
        declarations = [declaration(line, **of_task) for line in servers]
        return self.loop.declare(
            [self.sealed(each, server_source(each.server)) for each in declarations]
        )

    def sealed(self, message: Message, source: str) -> str:
        """The event of a message, said now."""
        event_id = f"{type(message).__name__}-{len(self.home.event_log.events(None, 0))}-{self.now}"
        told = (
            message
            if message.meta
            else message.model_copy(update={"meta": meta_at(self.now, event_id)})
        )
        return seal(told, source, event_id, utc(self.now))

    def invoke(self, task: str, *, key: str = "k", source: str = CLIENT, **params: Any) -> str:
        """Ask for a task, and let everything happen that happens without time passing. Returns the run's id."""
        self.put(InvokeTask(task=task, key=key, params=params), source)
        return run_id_of(task, key)

    def put(self, message: Message, source: str) -> None:
        """Put a message on the bus, and let everything happen."""
        self.loop.put(self.sealed(message, source))
        self.settle()

    def say(
        self,
        run_id: str,
        task: str,
        state: Any,
        *,
        attempt: int = 1,
        source: str | None = None,
        **more: Any,
    ) -> None:
        """A server speaks of its task."""
        server = self.task(run_id, task).server
        update = TaskStateChanged(
            server=server, run_id=run_id, task=task, attempt=attempt, state=state, **more
        )
        self.put(update, source or server_source(server))

    def settle(self) -> None:
        while self.loop.step():
            pass

    def after(self, seconds: float) -> "Stage":
        """Let time pass; whatever becomes due in between happens in its time."""
        until = self.now + seconds
        while (due := self.loop.next_due()) is not None and due <= until:
            self.now = max(self.now, due)
            self.settle()
        self.now = until
        self.settle()
        return self

    def run(self, run_id: str) -> RunView:
        return queries.run(self.home.store, run_id)

    def task(self, run_id: str, task: str) -> TaskView:
        return next(view for view in self.run(run_id).tasks if view.task == task)

    def states(self, run_id: str) -> dict[str, str]:
        """`{"x": "completed", "y": "pending blocked"}`"""
        return {
            view.task: f"{view.state} {view.reason or ''}".strip()
            for view in self.run(run_id).tasks
        }

    def said(self, kind: type[Message]) -> list[Envelope]:
        """What passed the bus of one kind, in order."""
        return [envelope for envelope in self.passed() if isinstance(envelope.message, kind)]

    def passed(self) -> Iterator[Envelope]:
        for event in self.home.event_log.events(None, 0):
            yield open_envelope(event.text)

    def _hear(self, server: str, event: str) -> None:
        command = open_envelope(event).message
        if not isinstance(command, RunTask):
            return
        assert command.server == server
        self.commands.append(command)
        if command.task in self.silent:
            return
        about = {
            "server": server,
            "run_id": command.run_id,
            "task": command.task,
            "attempt": command.attempt,
        }
        self.loop.put(
            self.sealed(TaskStateChanged(**about, state="started"), server_source(server))
        )
        ends: dict[str, Any] = {"state": "completed", "output": {"made_by": command.task}}
        if command.task in self.fails:
            ends = {
                "state": "error",
                "reason": "failed",
                "error": ErrorDescription(type="ValueError", message="no such file"),
            }
        self.loop.put(self.sealed(TaskStateChanged(**about, **ends), server_source(server)))

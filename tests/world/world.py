"""World: cerebro with all of its surroundings played by a test, in virtual time.

One class has the verbs (declare, invoke, report, cancel) and the views (state_of, sent, run) of
every test. What cerebro runs on is a driver: `Reactions` performs its programs effect by effect on
a memory store, so that a test can crash or pause them; `Engine` is the message loop of the embedded
engine with servers that answer by themselves. The builders in `world.scenarios` make either in one
line.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any, Final, Generic, Protocol, TypeVar

from cerebro.core.internal_messages import InternalMessage
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import TaskRun
from cerebro.handlers import queries
from cerebro.ports import Store
from cordyna_core.contract.base import ErrorDescription, Message, Meta
from cordyna_core.contract.commands import CancelRun, CancelTask, InvokeTask, RetryRun, RunTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source
from cordyna_core.contract.state_updates import (
    DeclarationRejected,
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import RunView, TaskView
from world.declarations import declared

NOON: Final = 1_800_000_000.0
"""Where the clock of every world begins."""

Delivered = Envelope | InternalMessage
"""What cerebro is handed by its queues."""

REPORTS_LEADING_TO: Final = {
    "queued": ("queued",),
    "started": ("started",),
    "completed": ("started", "completed"),
    "error": ("started", "error"),
}


class Driver(Protocol):
    """What cerebro runs on."""

    now: float

    @property
    def store(self) -> Store: ...

    @property
    def published(self) -> Sequence[Message]:
        """What cerebro has published, in order."""
        ...

    @property
    def commands(self) -> Sequence[RunTask]:
        """What task servers were handed, in order."""
        ...

    def handle(self, message: Delivered) -> None:
        """Let cerebro handle a message, and all that follows without time passing."""
        ...

    def advance(self, seconds: float) -> None:
        """Let time pass; what becomes due on the way happens when it is due."""
        ...


DriverT = TypeVar("DriverT", bound=Driver)


class World(Generic[DriverT]):
    """Cerebro on `driver`.

    Verbs and views are about the run that was invoked first, unless another is named.
    """

    def __init__(self, driver: DriverT) -> None:
        self.driver = driver
        self.run_id = ""
        self._number = count(1)

    @property
    def now(self) -> float:
        return self.driver.now

    @now.setter
    def now(self, moment: float) -> None:
        """Move the clock without anything happening on the way."""
        self.driver.now = moment

    @property
    def store(self) -> Store:
        return self.driver.store

    # --- verbs --------------------------------------------------------------------------------
    def publish(self, message: Message, source: str) -> Envelope:
        """Put a message on the bus now, and let cerebro handle it."""
        envelope = self.envelope(message, source)
        self.driver.handle(envelope)
        return envelope

    def envelope(self, message: Message, source: str) -> Envelope:
        """The event of a message, not put on the bus."""
        return Envelope(source, message, f"event-{next(self._number)}", utc(self.now))

    def handle(self, message: Delivered) -> None:
        """Let cerebro handle a message that a test made."""
        self.driver.handle(message)

    def declare(self, server: str, tasks: str, **fields: Any) -> None:
        """Let a server declare `tasks`; see `declared`."""
        self.publish(declared(server, tasks, **fields), server_source(server))

    def invoke(
        self, task: str, *, key: str | None = None, source: str = CLIENT, **fields: Any
    ) -> str:
        """Ask for a task. Returns the id that the run has, unless it was refused."""
        key = key or f"key-{next(self._number)}"
        run_id = run_id_of(task, key, source)
        self.run_id = self.run_id or run_id
        self.publish(InvokeTask(task=task, key=key, **fields), source)
        return run_id

    def cancel(self, run_id: str = "", *, command_id: str | None = None) -> None:
        self.publish(CancelRun(run_id=run_id or self.run_id, command_id=command_id), CLIENT)

    def retry(self, *tasks: str, command_id: str | None = None, run_id: str = "") -> None:
        self.publish(self.retry_command(*tasks, command_id=command_id, run_id=run_id), CLIENT)

    def retry_command(
        self, *tasks: str, command_id: str | None = None, run_id: str = ""
    ) -> RetryRun:
        return RetryRun(run_id=run_id or self.run_id, command_id=command_id, from_=list(tasks))

    def report(self, task: str, state: Any, **fields: Any) -> Envelope:
        """Let the task's server report a state; arguments as those of `update`.

        Returns the event, so that a test can deliver it again.
        """
        update = self.update(task, state, **fields)
        self.driver.handle(update)
        return update

    def update(
        self,
        task: str,
        state: Any,
        *,
        attempt: int | None = None,
        source: str | None = None,
        run_id: str = "",
        **fields: Any,
    ) -> Envelope:
        """The event of a state update, not delivered.

        By default of the current attempt, sent by the server that owns the task.
        """
        view = self.task(task, run_id)
        if state == "error":
            fields.setdefault("error", ErrorDescription(type="Oops", message="it broke"))
        meta = Meta(id=f"update-{next(self._number)}", time=utc(self.now))
        message = TaskStateChanged(
            meta=meta,
            server=view.server,
            run_id=run_id or self.run_id,
            task=task,
            attempt=(view.attempt or 1) if attempt is None else attempt,
            state=state,
            **fields,
        )
        return Envelope(
            source or server_source(view.server), message, f"event-{meta.id}", utc(self.now)
        )

    def reach(self, task: str, state: str, **fields: Any) -> None:
        """Let the task's server report what leads to a state."""
        for reported in REPORTS_LEADING_TO[state]:
            self.report(task, reported, **(fields if reported == state else {}))

    def after(self, seconds: float) -> "World[DriverT]":
        """Let time pass."""
        self.driver.advance(seconds)
        return self

    # --- views --------------------------------------------------------------------------------
    @property
    def published(self) -> Sequence[Message]:
        return self.driver.published

    @property
    def commands(self) -> Sequence[RunTask]:
        return self.driver.commands

    @property
    def sent(self) -> list[tuple[str, int]]:
        """The commands to run a task: (task, attempt)."""
        return [(command.task, command.attempt) for command in self.commands]

    @property
    def cancelled(self) -> list[tuple[str, int]]:
        """The commands to stop an attempt: (task, attempt)."""
        return [
            (message.task, message.attempt)
            for message in self.published
            if isinstance(message, CancelTask)
        ]

    @property
    def run_states(self) -> list[str]:
        """The published states of runs, in order."""
        return [message.state for message in self.published if isinstance(message, RunStateChanged)]

    @property
    def problems(self) -> list[str]:
        """The codes of all refusals."""
        refusals = [
            message
            for message in self.published
            if isinstance(message, InvocationRejected | DeclarationRejected)
        ]
        return [problem.code for refusal in refusals for problem in refusal.problems]

    def run(self, run_id: str = "") -> RunView:
        return queries.run(self.store, run_id or self.run_id)

    def stored_run(self) -> Run:
        run = self.store.read_run(self.run_id)
        assert run is not None
        return run

    def task(self, name: str, run_id: str = "") -> TaskView:
        return next(task for task in self.run(run_id).tasks if task.task == name)

    def state_of(self, name: str, run_id: str = "") -> str:
        """State and reason of a task, as `"error failed"` or `"started"`."""
        return _state_and_reason(self.task(name, run_id))

    def states(self, run_id: str = "") -> dict[str, str]:
        """`state_of` of every task: `{"x": "completed", "y": "pending blocked"}`."""
        return {view.task: _state_and_reason(view) for view in self.run(run_id).tasks}

    def fact(self, name: str) -> TaskRun:
        snapshot = self.store.read_run_snapshot(self.run_id)
        assert snapshot is not None
        fact = self.store.read_task(self.run_id, snapshot.plan.index_of[name])
        assert fact is not None
        return fact


def _state_and_reason(view: TaskView) -> str:
    return f"{view.state} {view.reason or ''}".strip()

"""Client: invoke tasks and follow runs, on any engine.

Invariant: a program and `dyna` see the same: the client calls the port Engine and nothing else.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Literal, Self

from cordyna_cli.client.arguments import criteria_of, mapping_of, names_of
from cordyna_cli.client.event import Event, event_of
from cordyna_cli.client.outcome import RunTimeout, output_of
from cordyna_cli.engine import Engine, Refused
from cordyna_cli.input.parse_command import retry_run, validated_command
from cordyna_cli.output.errors import command_refused, invocation_refused
from cordyna_core.contract.commands import CancelRun, InvokeTask
from cordyna_core.contract.state_updates import RunState
from cordyna_core.contract.views.graph import ServerInfo, TaskInfo
from cordyna_core.contract.views.runs import (
    LogLine,
    RunSummary,
    RunView,
)
from cordyna_core.errors import ServiceError

RunListState = RunState | Literal["cancelled"]

POLL_INTERVAL_S: Final = 0.2
LATE_EVENTS_S: Final = 15.0
"""How long the events of a run are awaited after its end: the log of a cloud is late."""


class Client:
    """An open engine. Every method may raise UserError (NotFound, AccessError, ServiceError).

    Its methods may be called by several threads. Close it, or use it in a `with`.
    """

    def __init__(self, engine: Engine, *, joins: bool = True) -> None:
        self._engine, self._joins = engine, joins

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the engine. A run that only this process drives rests until another one does."""
        self._engine.__exit__(None, None, None)

    def invoke(
        self,
        task: str,
        params: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        max_age_s: int | None = None,
        labels: Mapping[str, str] | None = None,
        join: bool = False,
    ) -> "RunHandle":
        """Invoke a task with everything upstream of it.

        Args:
            params: by name; each task of the run gets those that it declares.
            key: the same key gives the same run.
            max_age_s: reuse recorded results that are at most this old: those of tasks that an edge
                accepts with `fresh`, and of targets of runs.
            labels: shown with the run.
            join: take up an interrupted run of the same task and params on this machine.

        Raises:
            Refusal: the contract or cerebro refuses it; it has every problem.
        """
        fields = {
            "task": task,
            "params": mapping_of("params", params),
            "key": key,
            "max_age_s": max_age_s,
            "labels": mapping_of("labels", labels),
        }
        command = validated_command(InvokeTask, fields, f'task "{task}" cannot be invoked')
        answer = self._engine.invoke(command, join=join and self._joins and key is None)
        if isinstance(answer, Refused):
            raise invocation_refused(task, answer.problems, self._engine)
        return RunHandle(self._engine, answer.run_id)

    def run(self, run_id: str) -> "RunHandle":
        """Return a run that exists. Raises NotFound."""
        self._engine.run(run_id)
        return RunHandle(self._engine, run_id)

    def runs(
        self,
        limit: int = 20,
        *,
        task: str | None = None,
        state: RunListState | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[RunSummary]:
        """Return the newest runs that match, the newest first.

        `since`: created then or later. `until`: created before then.
        """
        criteria = criteria_of(limit, task=task, state=state, since=since, until=until)
        return self._engine.runs(limit, criteria)

    def tasks(self) -> list[TaskInfo]:
        """Return every declared task."""
        return self._engine.tasks()

    def servers(self) -> list[ServerInfo]:
        """Return every server that has declared itself."""
        return self._engine.servers()

    def subscribe(self, *, after: int = 0, timeout_s: float | None = None) -> Iterator[Event]:
        """Yield the events that pass the bus behind number `after`, for `timeout_s`."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            for passed in self._engine.events(after=after):
                after = max(after, passed.seq)
                yield event_of(passed)
            if until is not None and time.monotonic() >= until:
                return
            _pause(self._engine, until)


class RunHandle:
    """One run of an open client."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine, self.run_id = engine, run_id

    def view(self) -> RunView:
        """Return the run as it is now, with all its tasks."""
        return self._engine.run(self.run_id)

    def poll(self, timeout_s: float) -> RunView:
        """Return the run when it has ended, or after `timeout_s` as it is then."""
        return self._follow(timeout_s)

    def wait(self, timeout_s: float | None = None) -> RunView:
        """Wait until the run has ended; completed or not. Raises RunTimeout."""
        view = self._follow(timeout_s)
        if not view.is_final:
            raise RunTimeout(view, timeout_s or 0)
        return view

    def _follow(self, timeout_s: float | None) -> RunView:
        views = deque(self._engine.follow(self.run_id, timeout_s=timeout_s), maxlen=1)
        return views[0] if views else self.view()

    def result(self, timeout_s: float | None = None) -> Any:
        """Wait, and return the output of the task. Raises RunFailed, RunTimeout."""
        return output_of(self.wait(timeout_s))

    def cancel(self) -> None:
        """End the run now. Raises Refusal if it has completed."""
        self._command(CancelRun(run_id=self.run_id), "cancelled")

    def retry(self, tasks: Sequence[str] = (), *, downstream: bool = False) -> None:
        """Give failed tasks a new attempt: those named, or all. Raises Refusal.

        `downstream`: run the named tasks again, also completed ones, and all downstream of them.
        """
        self._command(retry_run(self.run_id, names_of(tasks), downstream=downstream), "retried")

    def _command(self, command: Any, participle: str) -> None:
        refused = self._engine.command(command)
        if refused is not None:
            raise command_refused(
                f"run {self.run_id} cannot be {participle}",
                refused.problems,
                next=f"dyna why {self.run_id}",
            )

    def logs(self, task: str | None = None) -> list[LogLine]:
        """Return what its tasks, or one of them, printed."""
        return self._engine.logs(self.run_id, task)

    def events(self, *, timeout_s: float | None = None) -> Iterator[Event]:
        """Yield its events, until the one that says how it ended, or until `timeout_s` passed."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        after, ended_at = 0, float("inf")
        while True:
            is_final = self.view().is_final
            for passed in self._passed(after):
                after = max(after, passed.seq)
                yield event_of(passed)
            now = time.monotonic()
            ended_at = min(ended_at, now) if is_final else float("inf")
            late_s = 0.0 if self._engine.has_live_events else LATE_EVENTS_S
            if now >= ended_at + late_s or (until is not None and now >= until):
                return
            _pause(self._engine, until)

    def _passed(self, after: int) -> Sequence[Any]:
        try:
            return self._engine.events(self.run_id, after=after)
        except ServiceError:
            # The log of a cloud has nothing of a new run yet.
            if self._engine.has_live_events:
                raise
            return ()


def _pause(engine: Engine, until: float | None) -> None:
    """Let the engine work for a moment."""
    now = time.monotonic()
    end = now + POLL_INTERVAL_S if until is None else min(now + POLL_INTERVAL_S, until)
    engine.stay_up(lambda: time.monotonic() >= end)

"""Context: what a task's body can ask and say while it runs.

Law: the context speaks for one attempt; it knows nothing of the graph beyond that attempt's own upstream.
"""

import logging
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any, Final

from cordyna_core.errors import TerminalError, UserError
from cordyna_core.server.attempt import Attempt
from cordyna_core.server.options import checked_name
from cordyna_core.server.result import strict_json

_task_log: Final = logging.getLogger("cordyna.task")


class MissingUpstream(TerminalError, KeyError):
    """A body asked for an upstream's output that it was not sent."""

    __str__ = Exception.__str__  # KeyError shows its text in quotes


class UpstreamOutputs(Mapping[str, Any]):
    """The outputs of the direct upstreams by name. Asking for another name raises MissingUpstream, a KeyError that says why."""

    __slots__ = ("_declared", "_omitted", "_sent", "_task")

    def __init__(
        self, task: str, sent: Mapping[str, Any], omitted: Sequence[str], declared: Sequence[str]
    ) -> None:
        self._task = task
        self._sent = sent
        self._omitted = omitted
        self._declared = declared

    def __getitem__(self, name: str) -> Any:
        try:
            return self._sent[name]
        except KeyError:
            raise MissingUpstream(self._why_missing(name)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._sent)

    def __len__(self) -> int:
        return len(self._sent)

    def __repr__(self) -> str:
        return f"UpstreamOutputs({dict(self._sent)!r}, omitted={list(self._omitted)!r})"

    def _why_missing(self, name: str) -> str:
        if name in self._omitted:
            return f'the output of "{name}" was too large to send with the others (128 KB in all): let it return a reference'
        if name in self._declared:
            return f'no output of "{name}" was given: pass it, server.test_run("{self._task}", upstream={{"{name}": ...}})'
        known = ", ".join(self._declared) or "none"
        return f'"{name}" is not a direct upstream of "{self._task}" (declared: {known}): declare it, @server.task(upstream=["{name}"])'


class TaskLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose records carry `run_id`, `task` and `attempt`, beside what the body itself says with `extra`."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs


class Context:
    """Passed to a task's body that takes `*, ctx: Context`."""

    __slots__ = ("_attempt", "_upstream_names")

    def __init__(self, attempt: Attempt, upstream_names: Sequence[str] = ()) -> None:
        self._attempt = attempt
        self._upstream_names = upstream_names

    @property
    def run_id(self) -> str:
        return self._attempt.command.run_id

    @property
    def task(self) -> str:
        return self._attempt.command.task

    @property
    def attempt(self) -> int:
        """1 for the first sending of this task in this run."""
        return self._attempt.command.attempt

    @property
    def scheduled_at(self) -> datetime | None:
        """The nominal time of the cron tick that asked for this run (UTC), else None."""
        return self._attempt.command.scheduled_at

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants this attempt to stop. A body that runs long asks now and then, and returns."""
        return self._attempt.cancelled()

    @property
    def upstream(self) -> UpstreamOutputs:
        """The direct upstreams' outputs by name."""
        command = self._attempt.command
        return UpstreamOutputs(
            command.task, command.upstream, command.upstream_omitted, self._upstream_names
        )

    @property
    def log(self) -> TaskLogger:
        """The logger `cordyna.task`, whose records carry `run_id`, `task` and `attempt`."""
        return TaskLogger(
            _task_log, {"run_id": self.run_id, "task": self.task, "attempt": self.attempt}
        )

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        """Tell how far the body is: `fraction` from 0 to 1 (beyond is cut), `message` of at most 1,024 characters. Never fails the body."""
        self._attempt.say_progress(fraction, message)

    def invoke(self, task: str, /, **params: Any) -> str:
        """Ask cerebro to run `task`, which starts a run of its own; nothing waits for it.

        The key is derived from this attempt and from how many were asked for before, so the same body, run a second
        time, asks for the same runs.

        Returns:
            The id of the run. Cerebro may still refuse it (InvocationRejected).
        Raises:
            UserError: a bad name, or params that are not JSON.
        """
        checked_name(task, "task")
        try:
            plain, _ = strict_json(params)
        except ValueError as unfit:
            what = f'task "{task}" cannot be invoked with these params'
            raise UserError(what, why=str(unfit), next="pass what JSON can carry") from unfit
        return self._attempt.invoke(task, plain)

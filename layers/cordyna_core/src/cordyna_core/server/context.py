"""Context: what a task's body can read and report while it runs.

Invariant: a context belongs to one attempt; of the graph it knows only the upstream of its task.
"""

import logging
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any, Final

from cordyna_core.attempt import Attempt
from cordyna_core.errors import TerminalError, UserError
from cordyna_core.server.options import require_name
from cordyna_core.server.result import strict_json

_task_log: Final = logging.getLogger("cordyna.task")


class MissingUpstream(TerminalError, KeyError):
    """The output of an upstream was not sent to the body."""

    __str__ = Exception.__str__  # KeyError would quote the text


class UpstreamOutputs(Mapping[str, Any]):
    """The outputs of the direct upstreams by name.

    Invariant: the mapping never looks complete when it is not. Reading an output that was not sent
    raises MissingUpstream (a KeyError), and so does what needs all of them: iterating, `len`, `==`.
    """

    __slots__ = ("_missing", "_omitted", "_sent", "_task", "_upstream")

    def __init__(
        self, task: str, sent: Mapping[str, Any], omitted: Sequence[str], upstream: Sequence[str]
    ) -> None:
        self._task = task
        self._sent = sent
        self._omitted = omitted
        self._upstream = upstream
        self._missing = [name for name in dict.fromkeys((*upstream, *omitted)) if name not in sent]

    def __getitem__(self, name: str) -> Any:
        try:
            return self._sent[name]
        except KeyError:
            raise MissingUpstream(self._why_missing(name)) from None

    def get(self, name: str, default: Any = None) -> Any:
        """Return an output, or `default` for a name that is not an upstream.

        Raises:
            MissingUpstream: it is an upstream whose output was not sent.
        """
        return self._sent[name] if name in self else default

    def __contains__(self, name: object) -> bool:
        if name in self._missing:
            raise MissingUpstream(self._why_missing(str(name)))
        return name in self._sent

    def __iter__(self) -> Iterator[str]:
        self._require_all()
        return iter(self._sent)

    def __len__(self) -> int:
        self._require_all()
        return len(self._sent)

    def __repr__(self) -> str:
        return f"UpstreamOutputs({dict(self._sent)!r}, omitted={list(self._omitted)!r})"

    def _require_all(self) -> None:
        if self._missing:
            missing = ", ".join(f'"{name}"' for name in self._missing[:5])
            more = f" and {len(self._missing) - 5} more" if len(self._missing) > 5 else ""
            why = self._why_missing(self._missing[0])
            raise MissingUpstream(f"ctx.upstream lacks the output of {missing}{more}: {why}")

    def _why_missing(self, name: str) -> str:
        if name in self._omitted:
            return (
                f'the output of "{name}" was too large to send with the others '
                "(128 KB in all): let it return a reference"
            )
        if name in self._upstream:
            return (
                f'no output of "{name}" was sent: in a test, pass '
                f'server.test_run("{self._task}", upstream={{"{name}": ...}}); in a run that was '
                "planned before the task declared this upstream, invoke the task again"
            )
        known = ", ".join(self._upstream) or "none"
        return (
            f'"{name}" is not a direct upstream of "{self._task}" (declared: {known}): '
            f'declare it, @server.task(upstream=["{name}"])'
        )


class TaskLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose records carry `run_id`, `task` and `attempt`, beside the body's `extra`."""

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
        """The nominal time (UTC) of the cron tick that invoked this run; None without a tick."""
        return self._attempt.command.scheduled_at

    @property
    def cancelled(self) -> bool:
        """Whether this attempt shall stop.

        A body that runs long reads it now and then, and returns. (The body of an `async def` task
        is cancelled instead, at its next `await`.)
        """
        return self._attempt.cancelled()

    @property
    def upstream(self) -> UpstreamOutputs:
        """The outputs of the direct upstreams by name."""
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
        """Report the progress of the body; this never fails the body.

        Args:
            fraction: from 0 to 1; a number outside is clamped.
            message: at most 1,024 characters; a longer one is cut.
        """
        self._attempt.report_progress(fraction, message)

    def invoke(self, task: str, /, **params: Any) -> str:
        """Ask cerebro to run `task` in a run of its own; nothing waits for that run.

        The key is derived from this attempt and the number of calls before, so a body that runs a
        second time asks for the same runs.

        Returns:
            The id of the run. Cerebro may still refuse it: InvocationRejected, which `dyna why`
            shows with this task.

        Raises:
            UserError: a bad name, or params that are not JSON.
        """
        require_name(task, "task")
        try:
            plain, _ = strict_json(params)
        except ValueError as unfit:
            what = f'task "{task}" cannot be invoked with these params'
            raise UserError(what, why=str(unfit), next="pass what JSON can carry") from unfit
        return self._attempt.invoke(task, plain)

"""TaskServer: a team's tasks, what is declared of them, and how a RunTask becomes state updates.

Law: a body starts only while its command is fresh (section 4, rule 6), and whatever it does ends in exactly one of `completed` and `error`.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar, overload

from pydantic import ValidationError

from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.declaration import ServerDeclared, Upstream
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.time import utc
from cordyna_core.errors import Fatal, TerminalError, UserError
from cordyna_core.ports import Bus, Claims, Clock
from cordyna_core.server.attempt import Attempt
from cordyna_core.server.context import Context
from cordyna_core.server.options import Duration, checked_name
from cordyna_core.server.parameters import where_is
from cordyna_core.server.result import TaskResult, describe, json_output
from cordyna_core.server.task import Task, task_of

Body = TypeVar("Body", bound=Callable[..., Any])

_FAR: Final = utc(253_402_300_799)  # the last second of the year 9999


class UnknownTask(TerminalError):
    """This server has no task of that name (any more)."""


class _Nowhere:
    """A bus that nobody hears."""

    def publish(self, messages: Sequence[Message]) -> None: ...


def _never() -> bool:
    return False


class TaskServer:
    """The tasks of one team.

    Args:
        name: of the server, the same in every instance and every deployment of it.
        owner: of its tasks that name none; shown when they fail.
        revision: of the deployment; a lower one never replaces a higher one's declaration. Default: CORDYNA_REVISION, else 0.

    Raises:
        UserError: a bad name or revision.
    """

    def __init__(self, name: str, *, owner: str | None = None, revision: int | None = None) -> None:
        self.name = checked_name(name, "server")
        self.owner = owner
        self.revision = _deployed_revision() if revision is None else revision
        self._tasks: dict[str, Task] = {}

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The declared tasks by name."""
        return self._tasks

    @property
    def declaration(self) -> ServerDeclared:
        """All tasks of this server, as it tells cerebro. Raises UserError for a bad revision."""
        tasks = [task.declaration for task in self._tasks.values()]
        try:
            return ServerDeclared(
                server=self.name, contract="1", revision=self.revision, tasks=tasks
            )
        except ValidationError:
            what = f"revision {self.revision!r} is not a whole number from 0 up"
            raise UserError(what, next="pass revision=1, or leave it out") from None

    @overload
    def task(self, function: Body, /) -> Body: ...

    @overload
    def task(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        upstream: Iterable[str | Upstream] = (),
        cron: str | None = None,
        timezone: str | None = None,
        overlap: Literal["skip", "allow"] | None = None,
        retries: int | None = None,
        ack_timeout_s: Duration | None = None,
        start_timeout_s: Duration | None = None,
        run_timeout_s: Duration | None = None,
        owner: str | None = None,
        description: str | None = None,
    ) -> Callable[[Body], Body]: ...

    def task(self, function: Callable[..., Any] | None = None, /, **said: Any) -> Any:
        """Declare a function as a task: `@server.task`, `@server.task(...)` or `server.task(...)(function)`. It stays callable.

        Args:
            name: default: the function's, `task_3` is `task-3`.
            upstream: names of tasks, also of other servers', or `fresh(name, within="6h")`.
            cron: five unix fields; `timezone` an IANA name (default UTC); `overlap`: what a tick does while the last one's run goes on.
            retries: further attempts after one that failed (default 0, for cordyna cannot know the side effects).
            ack_timeout_s, start_timeout_s, run_timeout_s: the three clocks (section 2), in seconds or as `"10m"`.
            owner: default: the server's.
            description: default: the first line of the docstring.

        Raises:
            UserError: when something is declared wrongly, twice, or cannot be given by name.
        """
        if function is not None:
            return self._add(function)
        return lambda given: self._add(given, **said)

    def _add(self, function: Body, *, owner: str | None = None, **said: Any) -> Body:
        task = task_of(function, owner=self.owner if owner is None else owner, **said)
        name = task.declaration.name
        if name in self._tasks:
            what = f'server "{self.name}" has a task "{name}" already'
            raise UserError(
                what,
                why=where_is(self._tasks[name].function),
                next="name one of them otherwise: @server.task(name=...)",
            )
        self._tasks[name] = task
        return function

    def queue(self, command: RunTask, *, bus: Bus, clock: Clock) -> bool:
        """Say `queued`: the command is here, but no worker is free. Say it before running with `queued=True`.

        Returns:
            Whether it was said: nothing is said of a command that is stale.
        Raises:
            Fatal: the command is for another server.
            Exception: what the bus raises.
        """
        self._check_addressee(command)
        if _is_stale(command, clock(), queued=False):
            return False
        Attempt(command, bus, clock, _never).say("queued")
        return True

    def run(
        self,
        command: RunTask,
        *,
        bus: Bus,
        clock: Clock,
        queued: bool = False,
        claims: Claims | None = None,
        cancelled: Callable[[], bool] = _never,
    ) -> TaskResult | None:
        """Run one attempt and publish how it goes.

        Args:
            queued: this server has said `queued` for the attempt, so that `ack_by` is met.
            claims: who may run the body, where an attempt must not run twice (section 9).
            cancelled: whether the attempt shall stop; asked before the body starts, then by the body.

        Returns:
            How it ended, or None when the body was not started and nothing was said: the command is stale, cancelled or claimed by another.
        Raises:
            Fatal: the command is for another server.
            Exception: what the bus or the claims raise; then the command has not been answered, and is to be delivered again.
            KeyboardInterrupt: the operator's; nothing is said about the attempt.
        """
        self._check_addressee(command)
        if _is_stale(command, clock(), queued=queued) or cancelled():
            return None
        if claims is not None:
            mine = claims.claim(command.run_id, command.task, command.attempt)
            # The claim is a call to elsewhere, which may have taken long.
            if not mine or _is_stale(command, clock(), queued=queued):
                return None
        attempt = Attempt(command, bus, clock, cancelled)
        try:
            task = self._known(command.task)
            arguments = task.parameters.bind(command.params)
        except TerminalError as refused:
            return _failed(attempt, refused)
        if task.parameters.context_name is not None:
            arguments[task.parameters.context_name] = Context(attempt, task.upstream_names)
        attempt.say("started")
        try:
            output = json_output(task.function(**arguments))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return _failed(attempt, error)
        attempt.say("completed", output=output)
        return TaskResult(state="completed", output=output, events=tuple(attempt.events))

    def test_run(
        self, task: str, /, *, upstream: Mapping[str, Any] | None = None, **params: Any
    ) -> TaskResult:
        """Run one task without any bus, at a time that stands still.

        Args:
            upstream: the outputs of its upstreams by name, as far as the body asks for them.
            params: what the body takes; checked as in a real run.
        Raises:
            UserError: no task of that name.
        """
        if task not in self._tasks:
            raise UserError(
                f'server "{self.name}" has no task "{task}"',
                next=f"use one of: {', '.join(self._tasks) or 'it has none'}",
            )
        command = RunTask(
            server=self.name,
            run_id=derived_id("test_run", task),
            task=task,
            attempt=1,
            params=params,
            upstream=dict(upstream or {}),
            ack_by=_FAR,
            start_by=_FAR,
        )
        result = self.run(command, bus=_Nowhere(), clock=lambda: 0.0)
        assert result is not None, "the command is neither stale nor claimed nor cancelled"
        return result

    def _check_addressee(self, command: RunTask) -> None:
        if command.server != self.name:
            raise Fatal(f'a RunTask for server "{command.server}" came to "{self.name}"')

    def lambda_handler(
        self, event: dict[str, Any], context: object = None
    ) -> dict[str, Any] | None:
        """The AWS Lambda handler of this server, and of its door: `handler = server.lambda_handler` (needs the extra `aws`)."""
        from cordyna_core.aws.lambda_handlers import handle

        return handle(self, event or {})

    def serve(self, *, concurrency: int | None = None) -> None:
        """Take commands from this server's work queue until SIGTERM (needs the extra `aws`).

        Args:
            concurrency: bodies at the same time. Default: CORDYNA_WORKERS, else 4.

        Raises:
            UserError: no queue is named (CORDYNA_QUEUE_URL).
        """
        from cordyna_core.aws.sqs_worker import serve

        serve(self, concurrency=concurrency)

    def _known(self, name: str) -> Task:
        try:
            return self._tasks[name]
        except KeyError:
            raise UnknownTask(
                f'server "{self.name}" (revision {self.revision}) has no task "{name}"'
            ) from None


def _is_stale(command: RunTask, now: float, *, queued: bool) -> bool:
    return now > command.start_by.timestamp() or (not queued and now > command.ack_by.timestamp())


def _failed(attempt: Attempt, error: BaseException) -> TaskResult:
    description = describe(error)
    reason = "failed" if description.retryable else "failed_terminal"
    attempt.say("error", reason=reason, error=description)
    return TaskResult(state="error", reason=reason, error=description, events=tuple(attempt.events))


def _deployed_revision() -> int:
    written = os.environ.get("CORDYNA_REVISION", "0")
    try:
        return int(written)
    except ValueError:
        raise UserError(
            f"CORDYNA_REVISION={written!r} is not a whole number",
            next="set it to the number of the deployment",
        ) from None

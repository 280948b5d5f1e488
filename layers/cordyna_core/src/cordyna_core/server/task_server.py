"""TaskServer: the tasks of one team, their declaration, and what the server does with a command.

Invariant: a server acts only on commands that name it.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final, Literal, TypeVar, overload

from cordyna_core.attempt import Attempt, is_stale
from cordyna_core.contract.base import ErrorDescription, Message
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.declaration import ServerDeclared, Upstream, contract_of
from cordyna_core.environment import WORKER_HOST_VARIABLE
from cordyna_core.errors import Fatal, TerminalError, UserError
from cordyna_core.ports import Bus, Claims, Clock
from cordyna_core.server.attempt_under_test import SilentBus, attempt_under_test
from cordyna_core.server.declaring import publish_declaration
from cordyna_core.server.execution import run_attempt
from cordyna_core.server.options import Duration, require_name
from cordyna_core.server.parameters import location_of
from cordyna_core.server.result import TaskResult, strict_json
from cordyna_core.server.retried_errors import ErrorClasses
from cordyna_core.server.server_settings import (
    deployed_revision,
    require_concurrency,
    require_revision,
)
from cordyna_core.server.task import Task, task_of
from cordyna_core.start_hold import AT_ONCE, StartHold

Body = TypeVar("Body", bound=Callable[..., Any])

DEFAULT_CONCURRENCY: Final = 8


class UnknownTask(TerminalError):
    """The server has no task of that name (any more)."""


def _never() -> bool:
    return False


class TaskServer:
    """The tasks of one team.

    Args:
        name: of the server, the same in every instance and every deployment of it.
        owner: of its tasks that name none; shown when they fail.
        revision: of the deployment; a lower one never replaces the declaration of a higher one.
            Default: CORDYNA_REVISION, else 0.
        concurrency: how many bodies may run at the same time; not used by a Lambda, which runs one.

    Raises:
        UserError: a bad name, revision or concurrency.
    """

    def __init__(
        self,
        name: str,
        *,
        owner: str | None = None,
        revision: int | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
    ) -> None:
        self.name = require_name(name, "server")
        self.owner = owner
        self.revision = require_revision(deployed_revision() if revision is None else revision)
        self.concurrency = require_concurrency(concurrency)
        self._tasks: dict[str, Task] = {}

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The declared tasks by name."""
        return self._tasks

    @property
    def declaration(self) -> ServerDeclared:
        """All tasks of this server as a message to cerebro."""
        tasks = [task.declaration for task in self._tasks.values()]
        return ServerDeclared(
            server=self.name, contract=contract_of(tasks), revision=self.revision, tasks=tasks
        )

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
        retry_delay: Duration | None = None,
        retry_backoff: float | None = None,
        retry_max_delay: Duration | None = None,
        retry_jitter: bool | None = None,
        retry_on: ErrorClasses | None = None,
        never_retry_on: ErrorClasses = (),
        ack_timeout_s: Duration | None = None,
        start_timeout_s: Duration | None = None,
        run_timeout_s: Duration | None = None,
        owner: str | None = None,
        description: str | None = None,
        output_type: Any = None,
        consumers: Iterable[str] | None = None,
        invokers: Iterable[str] | None = None,
        deprecated: str | None = None,
        until: date | str | None = None,
        due: str | None = None,
    ) -> Callable[[Body], Body]: ...

    def task(self, function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """Declare a function (also `async def`) as a task; it stays callable.

        `@server.task`, `@server.task(...)` or `server.task(...)(function)`.

        Args:
            name: default: the function's, `task_3` is `task-3`.
            upstream: names of tasks, also of other servers', or `fresh(name, within="6h")`.
            cron: five unix fields.
            timezone: of the cron, an IANA name (default UTC).
            overlap: what a cron tick does while the run of the last one is not over.
            retries: further attempts after a failed one (default 0: the task may have side
                effects).
            retry_delay, retry_backoff, retry_max_delay, retry_jitter: the pause after the first
                attempt (default 5 s), by what each further one is multiplied (2), the longest one
                (`"10m"`), and whether up to a quarter is added (True).
            retry_on, never_retry_on: classes of exceptions: only these of the body are tried again
                (default: all but TerminalError), and these never.
            ack_timeout_s, start_timeout_s, run_timeout_s: the three clocks (docs/rules.md), in
                seconds or as `"10m"`.
            owner: default: the server's.
            description: default: the first line of the docstring.
            output_type: the type of its output, which it is checked to have. Default: the return
                annotation, if a pydantic model, a dataclass or a TypedDict occurs in it; `Any`:
                no check.
            consumers: servers whose tasks may depend on it, `*` allowed at the end of an entry
                (default: all; `[]`: this server only).
            invokers: servers that may invoke it, and clients as `client.<name>` (default: all;
                `[]`: this server only). Its cron and people always may.
            deprecated: what to use instead; the owners of tasks downstream are notified.
            until: the last day of a deprecated task.
            due: until when the run of a cron's tick has to be completed: `"07:00"` in its time
                zone, or `"2h"` after it. If it is not, its owner gets an incident.

        Raises:
            UserError: an option is wrong, the name is taken, or a parameter cannot be given by
            name.
        """
        if function is not None:
            return self._add(function)
        return lambda decorated: self._add(decorated, **options)

    def _add(self, function: Body, *, owner: str | None = None, **options: Any) -> Body:
        task = task_of(function, owner=self.owner if owner is None else owner, **options)
        name = task.declaration.name
        if name in self._tasks:
            what = f'server "{self.name}" has a task "{name}" already'
            raise UserError(
                what,
                why=location_of(self._tasks[name].function),
                next="give one of them another name: @server.task(name=...)",
            )
        self._tasks[name] = task
        return function

    def declare(self, *, bus: Bus, clock: Clock, cause: Message | None = None) -> None:
        """Publish all tasks of this server, and that it is ready.

        `cause`: the message that asks for it, if any.

        Raises:
            Exception: what the bus raises.
        """
        publish_declaration(self.declaration, bus=bus, clock=clock, cause=cause)

    def queue(self, command: RunTask, *, bus: Bus, clock: Clock) -> bool:
        """Report `queued`: the command has arrived, but no worker is free.

        Call it before `run(queued=True)`.

        Returns:
            Whether it was reported: nothing is reported of a stale command.

        Raises:
            Fatal: the command is for another server.
            Exception: what the bus raises.
        """
        self._check_addressee(command)
        if is_stale(command, clock(), queued=False):
            return False
        Attempt(command, bus, clock, _never).report("queued")
        return True

    def start(self, command: RunTask, *, bus: Bus, clock: Clock) -> None:
        """Report `started`: what serves this server begins a body, which `run` is to end.

        Call it before `run(started=True)`.

        Raises:
            Fatal: the command is for another server.
            Exception: what the bus raises.
        """
        self._check_addressee(command)
        Attempt(command, bus, clock, _never).report("started")

    def fail(self, command: RunTask, error: ErrorDescription, *, bus: Bus, clock: Clock) -> None:
        """Report an attempt as failed without running its body.

        Raises:
            Fatal: the command is for another server.
            Exception: what the bus raises.
        """
        self._check_addressee(command)
        Attempt(command, bus, clock, _never).report("error", reason="failed", error=error)

    def run(
        self,
        command: RunTask,
        *,
        bus: Bus,
        clock: Clock,
        queued: bool = False,
        started: bool = False,
        claims: Claims | None = None,
        cancelled: Callable[[], bool] = _never,
        hold: StartHold = AT_ONCE,
    ) -> TaskResult | None:
        """Run one attempt and publish its states.

        Args:
            queued: whether this server has reported `queued` for the attempt, which meets `ack_by`.
            started: whether `started` has been published for the attempt, by what gave it.
            claims: the right to run the body, where an attempt must not run twice.
            cancelled: whether the attempt shall stop; called before the body starts and by it.
            hold: how long `started` waits for a body that ends sooner.

        Returns:
            How it ended. None: the command is stale, cancelled or claimed by another; the body was
            not started and nothing was published.

        Raises:
            Fatal: the command is for another server.
            Exception: what the bus or the claims raise; the command has not been answered then, and
                must be delivered again.
            KeyboardInterrupt: the operator's; nothing is published about the attempt.
        """
        self._check_addressee(command)
        return run_attempt(
            self._task,
            command,
            bus=bus,
            clock=clock,
            queued=queued,
            claims=claims,
            cancelled=cancelled,
            start=None if started else hold,
        )

    def test_run(
        self, task: str, /, *, upstream: Mapping[str, Any] | None = None, **params: Any
    ) -> TaskResult:
        """Run one task without a bus, at a fixed time.

        `attempt=2`, `scheduled_at=datetime(...)` (the nominal time of a cron tick), `run_id="..."`
        and `cancelled=True` (or a function that is asked) are what the body reads from its context.
        A task that has a parameter of such a name gets it as its parameter.

        Args:
            upstream: the outputs of its upstreams by name, those that the body reads.
            params: the task's parameters, checked as in a real run; and the four above.

        Raises:
            UserError: no task has that name, or one of the four is not what it should be.
        """
        if task not in self._tasks:
            raise UserError(
                f'server "{self.name}" has no task "{task}"',
                next=f"use one of: {', '.join(self._tasks) or 'it has none'}",
            )
        outputs = strict_json(dict(upstream or {}))[0]
        test = attempt_under_test(self.name, self._tasks[task], outputs, params)
        result = self.run(
            test.command, bus=SilentBus(), clock=lambda: 0.0, cancelled=test.cancelled
        )
        assert result is not None, "the command is neither stale nor claimed nor cancelled"
        return result

    def lambda_handler(
        self, event: dict[str, Any], context: object = None
    ) -> dict[str, Any] | None:
        """Handle an AWS Lambda event of this server or its queue ingress (extra `aws`).

        Write `handler = server.lambda_handler`. Raises what was not handled.
        """
        from cordyna_core.aws.command_handler import handle_event  # noqa: PLC0415  needed only here

        return handle_event(self, event or {})

    def serve(self, *, concurrency: int | None = None) -> None:
        """Run commands of this server's work queue until SIGTERM (extra `aws`).

        The process becomes `python -m cordyna_core.entrypoints.serve` of the file that defines this
        server, so nothing after this call is run. Bodies run in worker processes, which import that
        file, too; there this call does nothing.

        Args:
            concurrency: bodies at the same time. Default: CORDYNA_WORKERS, else the server's.

        Raises:
            UserError: no queue is named (CORDYNA_QUEUE_URL), or no file defines this server.
        """
        from cordyna_core.aws.serve import become_serve  # noqa: PLC0415  needed only here

        if WORKER_HOST_VARIABLE not in os.environ:
            become_serve(target_of(self), concurrency)

    def _check_addressee(self, command: RunTask) -> None:
        if command.server != self.name:
            raise Fatal(f'"{self.name}" received a RunTask for server "{command.server}"')

    def _task(self, name: str) -> Task:
        try:
            return self._tasks[name]
        except KeyError:
            raise UnknownTask(
                f'server "{self.name}" (revision {self.revision}) has no task "{name}"'
            ) from None


def target_of(server: TaskServer) -> str:
    """Return `FILE:NAME` of the module that defines a server. Raises UserError."""
    # The main program first: it may import the server from a module, and name it, too.
    modules = [sys.modules["__main__"], *list(sys.modules.values())]
    for module in modules:
        file = getattr(module, "__file__", None)
        for name, value in list(vars(module).items()) if file else ():
            if value is server:
                return f"{os.path.abspath(file)}:{name}"  # type: ignore[arg-type]  # noqa: PTH100
    raise UserError(
        f'no module defines the server "{server.name}"',
        why="worker processes import it, so it must be a variable of a module",
        next="write at the top level of a file: server = TaskServer(...)",
    )

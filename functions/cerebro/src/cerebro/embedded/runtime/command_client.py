"""Command client: puts a command on the bus and waits for cerebro's answer.

Invariant: a run that a client waits for is noted before it is requested. So if the client is killed
while it waits, the same request afterwards finds that run. An unanswered command is withdrawn.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from cerebro.core.model.plan import Plan
from cerebro.core.planning.planner import plan_invocation
from cerebro.embedded.runtime.replies import ReplyFinder
from cerebro.embedded.runtime.session import HomeSession
from cerebro.embedded.storage.targets import TargetState
from cerebro.ports import DamagedItem
from cordyna_cli.engine import Refused
from cordyna_core.contract.base import Problem, meta_at
from cordyna_core.contract.commands import CancelRun, InvokeTask, RemoveServer, RetryRun
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.incidents import SnoozeIncident
from cordyna_core.contract.secret_params import plain_secret_problems
from cordyna_core.contract.time import utc
from cordyna_core.errors import ServiceError, UserError
from cordyna_core.ports import Clock

LOADING_TIMEOUT_S: Final = 30.0

ClientCommand = InvokeTask | CancelRun | RetryRun | RemoveServer | SnoozeIncident

_UNDECLARED: Final = ("unknown_task", "unresolved_upstream")


class CommandClient:
    """The commands of this process. `targets`: the servers that were named to it."""

    def __init__(self, session: HomeSession, clock: Clock, targets: Sequence[str]) -> None:
        self._session, self._clock, self._targets = session, clock, targets
        self._awaited: list[str] = []

    def submit_and_wait(
        self, command: ClientCommand, event_id: str, wait_s: float
    ) -> Refused | None:
        """Put a command on the bus. Returns None when it is accepted.

        Raises:
            UserError: no process drives this home, and this one has no server to run.
            ServiceError: no answer within `wait_s` seconds.
        """
        if not isinstance(command, InvokeTask) and self._session.can_process_alone():
            return self._process_alone(command, event_id)
        if self._session.has_no_driver():
            raise UserError(
                "no task server is named, and no process drives this home.",
                why="a task runs in the process of its server",
                next="name one: `dyna --server my.py ...`, or `servers` of [tool.cordyna] in "
                "pyproject.toml; `dyna init` makes a project with both",
            )
        if isinstance(command, InvokeTask) and (
            refused := self.refusal_of_unloaded(command) or self._refusal_of_plain_secrets(command)
        ):
            return refused
        after, event = self.last_seq(), self._sealed(command, event_id)
        self._session.put([event])
        find_reply = ReplyFinder(self._session.home.event_log, event_id, after)
        reply = self._session.wait_until(find_reply, time.monotonic() + wait_s)
        if reply is None:
            raise self._unanswered(event, wait_s)
        return self._with_context(reply) if isinstance(reply, Refused) else None

    def _process_alone(self, command: ClientCommand, event_id: str) -> Refused | None:
        """Process a command on a home without a driver. No server is loaded and nothing starts.

        A retried run continues with the next driver.
        """
        after = self.last_seq()
        self._session.process_alone(self._sealed(command, event_id))
        with self._session.read_transaction():
            reply = ReplyFinder(self._session.home.event_log, event_id, after)()
        return reply if isinstance(reply, Refused) else None

    def _sealed(self, command: ClientCommand, event_id: str) -> str:
        now = self._clock()
        dated = command.model_copy(update={"meta": meta_at(now, event_id)})
        return seal(dated, CLIENT, event_id, utc(now))

    def register_waiter(self, run_id: str) -> None:
        """Note that this process waits for a run's end."""
        with self._session.write_transaction():
            self._session.home.event_log.add_waiter(run_id)
        self._awaited.append(run_id)

    def release_waiters(self) -> None:
        """Note that this process waits no longer."""
        if self._awaited:
            with self._session.write_transaction():
                for run_id in self._awaited:
                    self._session.home.event_log.remove_waiter(run_id)
            self._awaited.clear()

    def find_interrupted_run(self, command: InvokeTask) -> str | None:
        """Return a run of the same task and parameters to go on with.

        An active one, or one that ended while its waiter was killed.

        Not a run that needs a server which no process runs: it would never continue.
        """
        home = self._session.home
        with self._session.read_transaction():
            for run_id in reversed([*home.event_log.awaited_runs(), *home.store.active_runs()]):
                with suppress(DamagedItem):  # It is not the run that is looked for.
                    run = home.store.read_run(run_id)
                    if (
                        run is not None
                        and (run.task, run.params) == (command.task, command.params)
                        and (run.is_over or self._continues(run_id))
                    ):
                        self._awaited.append(run_id)
                        return run_id
        return None

    def _continues(self, run_id: str) -> bool:
        """Return whether every server that an active run needs is served."""
        snapshot = self._session.home.store.read_run_snapshot(run_id)
        return snapshot is not None and all(map(self._is_served, _servers_of(snapshot.plan)))

    def last_seq(self) -> int:
        """Return the number of the last event."""
        with self._session.read_transaction():
            return self._session.home.event_log.last_seq()

    def _wait_for_loading(self) -> None:
        driver = self._session.driver
        if driver is not None and driver.served.pending:
            self._session.wait_until(
                lambda: None if driver.served.pending else True,
                time.monotonic() + LOADING_TIMEOUT_S,
            )

    def refusal_of_unloaded(self, command: InvokeTask) -> Refused | None:
        """Return the refusal of a task that needs a server which did not load.

        Also of a server that was not named, when one of those that were did not load: it is
        declared still, but no process runs it.
        """
        self._wait_for_loading()
        with self._session.read_transaction():
            failed = self._session.home.targets.failed()
            if not failed:
                return None
            planned = plan_invocation(self._session.home.store.read_graph(), command.task)
        if not isinstance(planned, Plan):
            return None  # Cerebro refuses it, with every problem.
        failed = [state for state in failed if not state.is_serving]
        needed = _servers_of(planned)
        causes = [state for state in failed if state.server in needed]
        if not causes and not all(map(self._is_served, needed)):
            causes = failed
        return Refused(command.task, tuple(map(not_loaded, causes))) if causes else None

    def _is_served(self, server: str) -> bool:
        """Return whether the process that drives, this one or another, runs a server."""
        driver = self._session.driver
        if driver is not None:
            return driver.served.serves(server)
        record = self._session.home.driver()
        return record is not None and record.state == "running" and server in record.servers

    def _refusal_of_plain_secrets(self, command: InvokeTask) -> Refused | None:
        """Return the refusal of a plain value for a secret: it is not put on the bus."""
        if not command.params:
            return None
        with self._session.read_transaction():
            graph = self._session.home.store.read_graph()
        if command.task not in graph:
            return None  # Cerebro refuses it.
        names = graph.closure(command.task).names
        tasks = [
            (f"{name} ({graph.server_of(name)})", graph[name].task.params_schema or {})
            for name in names
            if graph.takes_secrets(name)
        ]
        problems = plain_secret_problems(tasks, command.params)
        return Refused(command.task, tuple(problems)) if problems else None

    def _unanswered(self, event: str, wait_s: float) -> ServiceError:
        with self._session.write_transaction():
            was_waiting = self._session.home.event_log.withdraw(event)
        driver = self._session.home.driver()
        is_other = self._session.driver is None and driver is not None
        state = "withdrawn" if was_waiting or self._session.driver is None else "not answered yet"
        return ServiceError(
            f"no answer within {wait_s:g} s; the command was {state}.",
            why=f"process {driver.pid} ({driver.command}) drives this home"
            if is_other and driver is not None
            else "",
            next=f"check process {driver.pid}, then run the same command again"
            if is_other and driver is not None
            else "run the same command again",
        )

    def _with_context(self, refused: Refused) -> Refused:
        """Add why a task may be undeclared: another process drives, or a server did not load."""
        if not any(problem.code in _UNDECLARED for problem in refused.problems):
            return refused
        with self._session.read_transaction():
            failed = [
                not_loaded(state)
                for state in self._session.home.targets.failed()
                if not state.is_serving
            ]
            unserved = self._targets_of_no_driver()
        context: list[Problem] = []
        if unserved:
            driver = self._session.home.driver()
            pid = driver.pid if driver is not None else "?"
            text = (
                f"process {pid} drives this home, and does not run {', '.join(unserved)};"
                " that is served when it has ended"
            )
            context.append(Problem(code="driven_by_another", message=text))
        return replace(refused, problems=(*failed, *refused.problems, *context))

    def _targets_of_no_driver(self) -> list[str]:
        """Return what was named to this process, and is not run by the other one that drives."""
        if self._session.driver is not None:
            return []
        states = [(target, self._session.home.targets.read(target)) for target in self._targets]
        return [
            target
            for target, state in states
            # What failed to load there is served, and named with its error.
            if state is None
            or (state.server is None and state.error is None)
            or (state.server is not None and not self._is_served(state.server))
        ]


def _servers_of(plan: Plan) -> set[str]:
    return {task.server for task in plan.tasks if not task.is_join}


def not_loaded(state: TargetState) -> Problem:
    """Return the problem of a server that failed to load."""
    name = f"server {state.server} ({state.target})" if state.server else state.target or "''"
    return Problem(code="not_loaded", message=f"{name} failed to load: {state.error}")

"""CommandClient: a command is put on the bus, and whoever gave it waits for cerebro's answer.

Law: a run that somebody waits for is noted before it is asked for, so whoever is killed while waiting, and asks the same
again, is told of that run. A command that nobody answered is taken back.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cerebro.embedded.runtime.session import HomeSession
from cordyna_cli.engine import Refused
from cordyna_core.contract.base import Problem, meta_at
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.envelope import open_envelope, seal
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.state_updates import InvocationRejected, RunStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.errors import ServiceError, UserError
from cordyna_core.ports import Clock

_DECLARED_BY_NOBODY: Final = ("unknown_task", "unresolved_upstream")


class CommandClient:
    """The commands of this process. `targets`: the servers that were named to it."""

    def __init__(self, session: HomeSession, clock: Clock, targets: Sequence[str]) -> None:
        self._session, self._clock, self._targets = session, clock, targets
        self._waits_for: list[str] = []

    def submit_and_wait(
        self, command: InvokeTask | CancelRun | RetryRun, event_id: str, wait_s: float
    ) -> Refused | None:
        """Put a command on the bus and wait until it is taken (None) or refused.

        Raises:
            UserError: nobody drives this home, and this process has nothing to serve.
            ServiceError: no answer came within `wait_s` seconds.
        """
        if self._session.has_no_driver():
            raise UserError(
                "no task server is named, so nobody can run anything.",
                next="dyna --server my.py ..., or set CORDYNA_SERVERS.",
            )
        after, now = self.last_seq(), self._clock()
        event = seal(
            command.model_copy(update={"meta": meta_at(now, event_id)}), CLIENT, event_id, utc(now)
        )
        self._session.put([event])

        def found() -> Refused | bool | None:
            nonlocal after
            for passed in self._session.home.event_log.events(None, after):
                after = passed.seq
                if (
                    event_id in passed.text
                    and (answer := parse_reply(passed.text, event_id)) is not None
                ):
                    return answer
            return None

        answer = self._session.wait_until(found, time.monotonic() + wait_s)
        if answer is None:
            raise self._unanswered(event, wait_s)
        return self._refused(answer) if isinstance(answer, Refused) else None

    def register_waiter(self, run_id: str) -> None:
        """Note that this process waits for a run's end."""
        with self._session.write_transaction():
            self._session.home.event_log.add_waiter(run_id)
        self._waits_for.append(run_id)

    def release_waiters(self) -> None:
        """Whoever waited here has been told, or does not want to know any more."""
        if self._waits_for:
            with self._session.write_transaction():
                for run_id in self._waits_for:
                    self._session.home.event_log.remove_waiter(run_id)
            self._waits_for.clear()

    def find_interrupted_run(self, command: InvokeTask) -> str | None:
        """A run of the same that goes on, or that ended while nobody who waited for it lived to be told."""
        home = self._session.home
        with self._session.read_transaction():
            for run_id in reversed([*home.event_log.awaited_runs(), *home.store.active_runs()]):
                run = home.store.read_run(run_id)
                if run is not None and (run.task, run.params) == (command.task, command.params):
                    self._waits_for.append(run_id)
                    return run_id
        return None

    def last_seq(self) -> int:
        """The `seq` of the event that passed last."""
        with self._session.read_transaction():
            return self._session.home.event_log.last_seq()

    def _unanswered(self, event: str, wait_s: float) -> ServiceError:
        with self._session.write_transaction():
            self._session.home.event_log.withdraw(event)
        return ServiceError(
            f"cerebro has not answered within {wait_s:g} s, and the command was taken back.",
            why=""
            if self._session.driver
            else f"process {self._session.home.driver_id()} drives this home.",
            next="look whether that process is well, or ask again.",
        )

    def _refused(self, refused: Refused) -> Refused:
        """With a word about servers that were named here while another process serves others, where a task is declared by nobody."""
        nobodys = any(problem.code in _DECLARED_BY_NOBODY for problem in refused.problems)
        if self._session.driver is not None or not self._targets or not nobodys:
            return refused
        driver = self._session.home.driver_id()
        text = f"process {driver} drives this home with its own servers; those named here are served when it has ended"
        return replace(
            refused, problems=(*refused.problems, Problem(code="driven_by_another", message=text))
        )


def parse_reply(text: str, event_id: str) -> Refused | bool | None:
    """What an event says about the command `event_id`: refused, taken (True), or nothing."""
    message = open_envelope(text).message
    if isinstance(message, InvocationRejected) and message.event_id == event_id:
        return Refused(message.task, tuple(message.problems))
    if (
        isinstance(message, RunStateChanged)
        and message.meta is not None
        and message.meta.cause == event_id
    ):
        return True
    return None

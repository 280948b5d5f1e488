"""Operations: the health of a home, its dead letters, and its retention.

Invariant: a dead letter stays until it is redriven or purged; redriving processes it once more.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Final, Literal

from cerebro.embedded.alerts.dead_letters import (
    ALERTS,
    dead_alert_queues,
    purge_alerts,
    redrive_alerts,
)
from cerebro.embedded.alerts.outbox import dead_alerts
from cerebro.embedded.bodies.port import FRAME_OF_WORKER
from cerebro.embedded.runtime.session import HomeSession
from cerebro.embedded.server_views import server_views
from cerebro.embedded.storage.home import Home
from cerebro.ports import DamagedItem
from cordyna_cli.operations import DeadLetterQueue, Finding, QueuedDeadLetter
from cordyna_cli.wording.near_names import near_names_of
from cordyna_core.contract.ids import content_id
from cordyna_core.contract.time import utc
from cordyna_core.errors import NotFound, Refusal, UserError

DEAD_LETTERS: Final = "dead-letters"
INBOX: Final = "inbox"
SAMPLES_MAX: Final = 10
LETTERS_MAX: Final = 200
PRUNE_PAUSE_S: Final = 0.001

State = Literal["well", "worth a look", "broken"]


class LocalOperations:
    """Implements Operations for a home. `targets`: the servers that were named."""

    def __init__(self, home: Home, session: HomeSession, targets: Sequence[str]) -> None:
        self._home, self._session, self._targets = home, session, tuple(targets)

    def examine(self) -> Sequence[Finding]:
        with self._session.read_transaction():
            driver = self._driver()
        # After that, this process may be the driver.
        rejection = self._load_servers()
        with self._session.read_transaction():
            servers = [*self._servers()] if rejection is None else [rejection]
            is_well = all(finding.state == "well" for finding in servers)
            return [
                driver,
                # What is wrong with the servers that were named is the next step.
                self._tasks("dyna --server my.py tasks" if is_well else ""),
                *servers,
                *self._damaged_runs(),
                self._dead_letters(),
            ]

    def _load_servers(self) -> Finding | None:
        """Load the servers that were named, unless another process drives. Why they are rejected.

        Raises ServiceError if the home or the worker host fails.
        """
        try:
            self._session.acquire_lease()
        except Refusal as refused:
            reasons = "; ".join(problem.message for problem in refused.problems)
            return Finding("servers", "broken", f"rejected: {reasons}", refused.next)
        return None

    def _driver(self) -> Finding:
        driver = self._home.driver()
        if driver is not None and driver.state == "running":
            detail = (
                f"process {driver.pid} ({driver.command}) since {_whole_second(driver.since)},"
                f" for {', '.join(driver.servers) or 'no server'}"
            )
            return Finding("driver", "well", detail)
        active, waiting = self._home.store.active_runs(), self._home.event_log.has_inbox()
        detail = "none" if driver is None else f"process {driver.pid} was killed"
        if not active and not waiting and driver is None:
            return Finding("driver", "well", f"{detail}, and nothing waits for one")
        runs = f"{len(active)} active run{'' if len(active) == 1 else 's'}"
        waits = runs + (", and a command waits" if waiting else "")
        return Finding("driver", "worth a look", f"{detail}; {waits}", "dyna dev")

    def _tasks(self, next_if_none: str) -> Finding:
        count = len(self._home.store.read_graph())
        return _finding("tasks", str(count), next_if_none, is_well=count > 0)

    def _servers(self) -> Iterator[Finding]:
        views = server_views(self._home)
        failed = [view for view in views if view.problem is not None]
        for view in failed:
            # The problem is the text of a UserError: what, why, and what to do next.
            problem = (view.problem or "").partition("\n  next: ")[0]
            lines = "; ".join(line.strip() for line in problem.splitlines())
            if view.state == "not_loaded":
                detail = f"{view.server} failed to load: {lines}"
                yield Finding("servers", "broken", detail, "fix it, then dyna servers")
            else:
                detail = f"{view.server} runs its earlier code, and failed to reload: {lines}"
                yield Finding("servers", "worth a look", detail, "fix it, then dyna servers")
        if failed:
            return
        silent = [view.server for view in views if view.state == "unresponsive"]
        detail = f"{len(views)}" + (f", unresponsive: {', '.join(silent)}" if silent else "")
        yield _finding("servers", detail, "dyna servers", is_well=not silent)

    def _damaged_runs(self) -> Iterator[Finding]:
        for run_id in self._home.store.active_runs():
            try:
                self._home.store.read_run_snapshot(run_id)
            except DamagedItem as damaged:
                yield Finding("database", "broken", f"{damaged.what} {damaged.why}", damaged.next)

    def _dead_letters(self) -> Finding:
        count = len(self._home.event_log.dead_letters()) + len(dead_alerts(self._home.alerts))
        return _finding("dead letters", str(count), "dyna dlq ls", is_well=not count)

    def dead_letters(self) -> Sequence[DeadLetterQueue]:
        with self._session.read_transaction():
            letters = self._home.event_log.dead_letters()
            queues = dead_alert_queues(self._home)
        if not letters:
            return queues
        samples = tuple(f"{reason}: {event}" for event, reason in letters[-SAMPLES_MAX:])
        shown = tuple(
            QueuedDeadLetter(id=_letter_id(event), reason=reason, text=event)
            for event, reason in letters[-LETTERS_MAX:]
        )
        return [DeadLetterQueue(DEAD_LETTERS, len(letters), INBOX, samples, shown), *queues]

    def redrive(self, name: str, ids: Collection[str] = ()) -> int:
        """See Operations. What a worker sent is not a message of the bus, and stays a dead letter.

        Raises NotFound; UserError where nothing else is left to put back.
        """
        if name == ALERTS:
            with self._session.write_transaction():
                return redrive_alerts(self._home, ids)
        _require_queue(name)
        with self._session.write_transaction():
            letters = self._home.event_log.dead_letters()
            known = {_letter_id(event): (event, reason) for event, reason in letters}
            if unknown := sorted(set(ids) - known.keys()):
                raise NotFound(f"there is no dead letter {unknown[0]}.", next="dyna dlq ls")
            wanted = [known[letter_id] for letter_id in ids] if ids else letters
            messages = {event for event, reason in wanted if not reason.startswith(FRAME_OF_WORKER)}
            if wanted and not messages:
                raise UserError(
                    "these dead letters cannot be put back.",
                    why="a worker sent them, and the attempt that it ran has ended since;"
                    " they are not messages of the bus",
                    next="fix the server (dyna dlq ls --json shows what it sent),"
                    " then dyna dlq purge dead-letters",
                )
            events = self._home.event_log.drain_dead_letters(messages)
            self._home.event_log.put_inbox(events)
        return len(events)

    def require_queue(self, name: str) -> None:
        """Raises NotFound: there is no such dead-letter queue."""
        if name != ALERTS:
            _require_queue(name)

    def purge(self, name: str) -> int:
        """Delete the messages of a dead-letter queue. Returns how many. Raises NotFound."""
        self.require_queue(name)
        if name == ALERTS:
            with self._session.write_transaction():
                return purge_alerts(self._home)
        with self._session.write_transaction():
            return len(self._home.event_log.drain_dead_letters())

    def prune(self, older_than_s: float) -> int:
        """Delete runs that ended longer ago, with all that belongs to them, and return the space.

        Returns how many runs. Another process may drive meanwhile. Raises ServiceError.
        """
        ended_before = time.time() - older_than_s
        deleted, is_done = 0, False
        while not is_done:
            with self._session.read_transaction():
                step = self._home.prune_step(ended_before)
            deleted, is_done = deleted + step.runs, step.is_done
            time.sleep(PRUNE_PAUSE_S)  # A driver of another process gets its turn.
        self._give_back()
        return deleted

    def prune_run(self, run_id: str) -> bool:
        """Delete one run, even if it is damaged. Returns whether there was one.

        Raises UserError if it is active.
        """
        with self._session.read_transaction():
            if self._is_active(run_id):
                raise UserError(
                    f"run {run_id} is active.",
                    why="only a run that has ended can be deleted",
                    next=f"dyna cancel {run_id}",
                )
            existed = self._home.prune_run(run_id)
        self._give_back()
        return existed

    def _is_active(self, run_id: str) -> bool:
        try:
            run = self._home.store.read_run(run_id)
        except DamagedItem:
            return False
        return run is not None and not run.is_over

    def _give_back(self) -> None:
        has_more = True
        while has_more:
            with self._session.read_transaction():
                has_more = self._home.give_back_step()

    def paused(self) -> Sequence[str]:
        return sorted(self._home.paused_crons.read())

    def pause(self, task: str, *, on: bool) -> None:
        # A server that is rejected keeps its accepted crons, which may be paused.
        self._load_servers()
        with self._session.read_transaction():
            graph = self._home.store.read_graph()
        declared = graph.get(task)
        paused = self._home.paused_crons.read()
        if declared is None and (on or task not in paused):
            names = near_names_of(task, list(graph))
            meant = f"did you mean {' or '.join(names)}? " if names else ""
            raise NotFound(
                f'there is no task "{task}".', next=f"{meant}`dyna cron ls` lists every cron"
            )
        if on and declared is not None and declared.task.cron is None:
            raise NotFound(
                f"{task} has no cron, so there is nothing to pause.",
                next="dyna cron ls",
            )
        if not on and task not in paused:
            raise NotFound(f"the cron of {task} is not paused.", next="dyna cron ls")
        self._home.paused_crons.write(paused | {task} if on else paused - {task})


def _whole_second(since: float) -> str:
    return f"{utc(since):%Y-%m-%d %H:%M:%SZ}"


def _letter_id(event: str) -> str:
    return content_id("letter", event)


def _require_queue(name: str) -> None:
    if name != DEAD_LETTERS:
        raise NotFound(f'there is no dead-letter queue "{name}".', next="dyna dlq ls")


def _finding(what: str, detail: str, next_step: str, *, is_well: bool) -> Finding:
    return (
        Finding(what, "well", detail)
        if is_well
        else Finding(what, "worth a look", detail, next_step)
    )

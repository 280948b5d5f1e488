"""Operations: what is asked of a home beside its runs: is it well, and what could not be handled.

Law: what was buried stays until it is put back; then it is heard once more, by whoever drives the home.
"""

from collections.abc import Sequence
from typing import Final, NoReturn

from cerebro.embedded.runtime.session import HomeSession
from cerebro.embedded.storage.home import DiskHome, MemoryHome
from cerebro.handlers import queries
from cordyna_cli.operations import DeadLetterQueue, Finding
from cordyna_core.errors import NotFound, UserError

DEAD_LETTERS: Final = "dead-letters"
INBOX: Final = "inbox"
_SAMPLES: Final = 10


class LocalOperations:
    """Implements Operations of the library for a home."""

    def __init__(self, home: DiskHome | MemoryHome, session: HomeSession) -> None:
        self._home, self._session = home, session

    def examine(self) -> Sequence[Finding]:
        with self._session.read_transaction():
            graph, buried = self._home.store.read_graph(), self._home.event_log.dead_letters()
            servers = queries.servers(self._home.store)
        silent = [each.server for each in servers if each.state == "unresponsive"]
        return [
            _finding("tasks", f"{len(graph)}", "dyna --server my.py tasks", well=len(graph) > 0),
            _finding(
                "upstreams",
                f"{len(graph.unresolved)} declared by nobody",
                "dyna tasks",
                well=not graph.unresolved,
            ),
            _finding(
                "servers",
                f"{len(servers)}, {len(silent)} of them unresponsive",
                "dyna servers",
                well=not silent,
            ),
            _finding("dead letters", f"{len(buried)}", "dyna dlq ls", well=not buried),
        ]

    def dead_letters(self) -> Sequence[DeadLetterQueue]:
        with self._session.read_transaction():
            buried = self._home.event_log.dead_letters()
        samples = tuple(f"{reason}: {event}" for event, reason in buried[-_SAMPLES:])
        return [DeadLetterQueue(DEAD_LETTERS, len(buried), INBOX, samples)] if buried else []

    def redrive(self, name: str) -> int:
        if name != DEAD_LETTERS:
            raise NotFound(f'there is no dead-letter queue "{name}".', next="dyna dlq ls")
        with self._session.write_transaction():
            events = self._home.event_log.drain_dead_letters()
            self._home.event_log.put_inbox(events)
        return len(events)

    def paused(self) -> Sequence[str]:
        return ()

    def pause(self, task: str, *, on: bool) -> NoReturn:
        del task, on
        raise UserError(
            "a cron on this machine cannot be paused.",
            why="crons fire here only while `dyna dev` is up",
            next="end `dyna dev`, or take the cron out of the task",
        )


def _finding(what: str, told: str, todo: str, *, well: bool) -> Finding:
    return Finding(what, "well", told) if well else Finding(what, "worth a look", told, todo)

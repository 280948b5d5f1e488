"""Load watch: which servers are being loaded, and which of them ends the host of all.

An import may end the host, for example by a signal to the parent of its process. The host is
replaced, and loads every server again; without a limit that would never end. Servers that were
being loaded when a host was lost are loaded one by one from then on, so that only the one that ends
it is given up.

Invariant: a server that ended HOSTS_LOST_MAX hosts is loaded no more, until it is started again.
"""

from collections.abc import Iterable
from typing import Final

from cordyna_core.worker.pool.events import Declared, Event, LoadFailed

HOSTS_LOST_MAX: Final = 3


class LoadWatch:
    """The loads of one pool."""

    def __init__(self) -> None:
        self._hosts_lost: dict[str, int] = {}
        self._loading: set[str] = set()
        self._waiting: list[str] = []
        self._given_up: set[str] = set()

    def begin(self, target: str) -> None:
        """Note that a server is being loaded, for the first time or again."""
        self._loading.add(target)

    def allow(self, targets: Iterable[str]) -> None:
        """Let these be loaded, even those that were given up."""
        self._given_up.difference_update(targets)

    def forget(self, target: str) -> None:
        """Note that a server is not to be loaded any more: no answer follows."""
        self._loading.discard(target)
        self._hosts_lost.pop(target, None)
        if target in self._waiting:
            self._waiting.remove(target)

    def observe(self, event: Event) -> None:
        """Note an answer: it ends the load of its server."""
        if isinstance(event, Declared | LoadFailed):
            self._loading.discard(event.target)
            self._hosts_lost.pop(event.target, None)

    def blame(self, why: str) -> list[LoadFailed]:
        """Note that the host was lost. Returns the failures of the servers that are given up."""
        for target in self._loading:
            self._hosts_lost[target] = self._hosts_lost.get(target, 0) + 1
        self._loading.clear()
        given_up = [t for t, count in self._hosts_lost.items() if count >= HOSTS_LOST_MAX]
        for target in given_up:
            del self._hosts_lost[target]
        self._given_up.update(given_up)
        return [_failure(target, why) for target in given_up]

    def is_given_up(self, target: str) -> bool:
        """Return whether no host has it, or is to load it."""
        return target in self._given_up

    def begin_all(self, targets: Iterable[str]) -> list[str]:
        """Note a new host for these servers. Returns those that it loads now, beside each other."""
        # What was begun while there was no host was begun nowhere.
        self._loading.clear()
        every = [target for target in targets if target not in self._given_up]
        suspects = [target for target in every if target in self._hosts_lost]
        self._waiting = sorted(suspects, key=self._hosts_lost.__getitem__)
        return [target for target in every if target not in self._hosts_lost]

    def is_waiting(self, target: str) -> bool:
        """Return whether it is loaded anyway, once it is its turn."""
        return target in self._waiting

    @property
    def is_loading(self) -> bool:
        """Whether any server is being loaded, or is to be."""
        return bool(self._loading or self._waiting)

    @property
    def waiting(self) -> list[str]:
        """The servers that are loaded one by one, once the others are."""
        return [*self._waiting]

    def next_alone(self) -> str | None:
        """Return the server that is loaded now, because no other is; None: no server waits."""
        return self._waiting.pop(0) if self._waiting and not self._loading else None


def _failure(target: str, why: str) -> LoadFailed:
    return LoadFailed(
        target=target,
        server=None,
        error=f"the host of all servers ended {HOSTS_LOST_MAX} times while {target} was loaded:"
        f" {why}\n  next: see what it does to other processes while it is imported",
        still_serving=False,
    )

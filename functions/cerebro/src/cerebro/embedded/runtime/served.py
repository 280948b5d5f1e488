"""Served: the servers that a driver was given, and what each of them last declared.

Invariant: what is declared to cerebro is exactly these servers. One that does not load keeps the
declaration that was accepted before; and while one does not load, no other server is removed,
because a name that was mistyped cannot be told from a server that is missing.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from cerebro.core.graph.versions import version_of
from cerebro.embedded.bodies.port import LoadFailure, ServerLoaded
from cerebro.embedded.storage.home import Home
from cerebro.embedded.storage.targets import TargetState
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.ports import Clock
from cordyna_core.worker.spec import name_taken

_log = logging.getLogger("cordyna")

Fingerprint = Callable[[str], str]
"""Identifies the state of a target's files; an empty string if that cannot be known."""


class ServedTargets:
    """The targets of one driver, in the order in which they were named."""

    def __init__(
        self, home: Home, targets: Sequence[str], fingerprint: Fingerprint, clock: Clock
    ) -> None:
        self._home, self._clock, self._fingerprint = home, clock, fingerprint
        self.targets = tuple(dict.fromkeys(targets))
        self._declared: dict[str, ServerDeclared] = {}
        self._fingerprints: dict[str, str] = {}
        self.pending: set[str] = set()
        self.is_loaded: set[str] = set()
        self.is_refused: set[str] = set()
        """Targets whose files, as they were loaded last, are not what is declared for them."""
        self._failed: set[str] = set()
        self._renamed: dict[str, tuple[str, str]] = {}
        """By the earlier name of a server: its target, and what it is called now."""

    def unchanged(self) -> set[str]:
        """Targets whose files are as they were when they last declared what is accepted now.

        An event that was put on the bus by hand may have declared something else meanwhile.
        """
        graph = self._home.store.read_graph()
        unchanged = set()
        for target in self.targets:
            state = self._home.targets.read(target)
            if (
                state is not None
                and state.error is None
                and state.server is not None
                and state.server in graph.declarations
                and state.fingerprint
                and state.fingerprint
                == _mark(self._fingerprint(target), graph.declarations[state.server])
            ):
                self._declared[target] = graph.declarations[state.server]
                unchanged.add(target)
        return unchanged

    def not_tried(self) -> list[str]:
        """Targets that this engine has not begun to load: their files were unchanged."""
        tried = self.is_loaded | self.pending | self._failed
        return [target for target in self.targets if target not in tried]

    def begin_load(self, targets: Sequence[str]) -> None:
        """Note that these targets are being loaded, with the files as they are now."""
        for target in targets:
            self.pending.add(target)
            self._fingerprints[target] = self._fingerprint(target)

    def on_declared(self, event: ServerLoaded) -> bool:
        """A target has loaded. Returns whether it declares something else than before.

        Of two targets with the same server name, the one that is named first counts.
        """
        self.pending.discard(event.target)
        owner = self._other_with(event.declaration.server, event.target)
        if owner is not None and self.targets.index(owner) < self.targets.index(event.target):
            self._refuse(event.target, event.declaration.server, owner)
            return False
        if owner is not None:
            self._refuse(owner, event.declaration.server, event.target)
        self.is_loaded.add(event.target)
        self._note_name(event.target, event.declaration.server)
        self.is_refused.discard(event.target)
        self._failed.discard(event.target)
        before = self._declared.get(event.target)
        self._declared[event.target] = event.declaration
        self._write(event.target, event.declaration.server, None, is_serving=True)
        return before != event.declaration

    def _refuse(self, target: str, server: str, owner: str) -> None:
        """Another target has the name of this one's server: it has no declaration to keep."""
        self.is_refused.add(target)
        self._failed.add(target)
        self.is_loaded.discard(target)
        self._declared.pop(target, None)
        self._write(target, None, name_taken(server, owner), is_serving=False)

    def _note_name(self, target: str, server: str) -> None:
        state = self._home.targets.read(target)
        before = state.server if state is not None else None
        if before is not None and before != server:
            self._renamed[before] = target, server
        self._renamed.pop(server, None)

    def on_failed(self, event: LoadFailure) -> None:
        """A target did not load: it keeps its last accepted declaration, if it has one."""
        self.pending.discard(event.target)
        self.is_refused.add(event.target)
        if not event.still_serving:
            self._failed.add(event.target)
            self.is_loaded.discard(event.target)
        state = self._home.targets.read(event.target)
        server = state.server if state is not None else None
        if server is not None and self._other_with(server, event.target) is not None:
            server = None
        accepted = self._home.store.read_graph().declarations
        if event.target not in self._declared and server is not None and server in accepted:
            self._declared[event.target] = accepted[server]
        self._write(event.target, server, event.error, is_serving=event.still_serving)

    def give_up_waiting(self, error: str) -> None:
        """Note that the pending targets have not answered yet. They may do so later."""
        for target in sorted(self.pending):
            self.on_failed(LoadFailure(target, error, still_serving=False))
            self.pending.add(target)

    def _other_with(self, server: str, target: str) -> str | None:
        """Another target whose server has this name."""
        others = (other for other in self.targets if other != target)
        return next((other for other in others if self.server_of(other) == server), None)

    def declarations(self) -> Mapping[str, ServerDeclared]:
        """Return what is to be declared, by server. The first target that names a server counts."""
        declarations: dict[str, ServerDeclared] = {}
        for target in self.targets:
            declared = self._declared.get(target)
            if declared is not None:
                declarations.setdefault(declared.server, declared)
        return declarations

    def as_declared(self) -> Sequence[str]:
        """Return the servers whose files, as they were loaded last, are what is declared."""
        return [
            declared.server
            for target, declared in self._declared.items()
            if target not in self.is_refused
        ]

    def kept(self) -> Sequence[ServerDeclared]:
        """Accepted declarations of servers that were not named, which stay nevertheless."""
        if not self._failed:
            return ()
        named = self.declarations()
        accepted = self._home.store.read_graph().declarations
        return [declared for server, declared in accepted.items() if server not in named]

    def log_removed(self, servers: Collection[str]) -> None:
        """Warn that these servers are no longer declared: renamed in their file, or not named."""
        for server in sorted(self._renamed.keys() & servers):
            target, name = self._renamed[server]
            _log.warning("no longer declared: %s, because %s names it %s now", server, target, name)
        if unnamed := sorted(set(servers) - self._renamed.keys()):
            _log.warning(
                "no longer declared: %s, because only %s was named; name all servers of a home,"
                " or list them in [tool.cordyna]",
                ", ".join(unnamed),
                ", ".join(self.targets),
            )

    def serves(self, server: str) -> bool:
        """Return whether a server was named here, as it is known so far."""
        return server in self.declarations()

    def server_of(self, target: str) -> str | None:
        """Return the name of a target's server, if it is known."""
        declared = self._declared.get(target)
        return declared.server if declared is not None else None

    def _write(
        self, target: str, server: str | None, error: str | None, *, is_serving: bool
    ) -> None:
        state = TargetState(
            target=target,
            server=server,
            fingerprint=_mark(self._fingerprints.get(target, ""), self._declared.get(target)),
            error=error,
            is_serving=is_serving,
            at=self._clock(),
        )
        previous = self._home.targets.read(target)
        if previous is None or replace(previous, at=state.at) != state:
            with self._home.transaction():
                self._home.targets.write(state)


def _mark(fingerprint: str, declared: ServerDeclared | None) -> str:
    """Names the files of a target together with what it declared from them."""
    return f"{fingerprint} {version_of(declared)}" if fingerprint and declared is not None else ""

"""The embedded engine's loop and its servers in one thread, for profiles: threads would hide
callers.
"""

import itertools
import time
from collections.abc import Callable, Sequence

from graphs import Graph

from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import MemoryHome
from cordyna_core import TaskServer
from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.commands import Command, InvokeTask, RunTask
from cordyna_core.contract.envelope import open_envelope, seal
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source
from cordyna_core.contract.time import utc


class ServerBus:
    """The bus of one server."""

    def __init__(self, server: str, put: Callable[[str], None]) -> None:
        self._source, self._put = server_source(server), put

    def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            assert message.meta is not None
            self._put(seal(message, self._source, message.meta.id or "", utc(time.time())))


def run_in_one_thread(graph: Graph, servers: Sequence[TaskServer]) -> Callable[[], None]:
    """Return a function that runs the graph once."""
    by_name = {server.name: server for server in servers}
    home, keys = MemoryHome(), itertools.count()

    def to_server(command: Command, event: str) -> None:
        received = open_envelope(event).message
        if isinstance(received, RunTask):
            server = by_name[received.server]
            server.run(received, bus=ServerBus(server.name, loop.put), clock=time.time)

    loop = MessageLoop(home, time.time, to_server=to_server)
    now = time.time()
    declared = [
        seal(
            server.declaration.model_copy(update={"meta": meta_at(now, name)}),
            server_source(name),
            name,
            utc(now),
        )
        for name, server in by_name.items()
    ]
    assert loop.declare(declared) == []
    target = list(graph)[-1]

    def run() -> None:
        key = f"key-{next(keys)}"
        now = time.time()
        loop.put(
            seal(InvokeTask(task=target, key=key, meta=meta_at(now, key)), CLIENT, key, utc(now))
        )
        while loop.step():
            pass
        stored = home.store.read_run(run_id_of(target, key))
        assert stored is not None
        assert stored.status == "completed"

    return run

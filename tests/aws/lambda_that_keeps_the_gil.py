"""A Lambda whose body keeps Python's global lock until the endpoint has received an event.

Run as `... PIPE DOCUMENT`: the endpoint writes what it receives to PIPE; DOCUMENT is the command.
"""

import ctypes
import json
import sys
import threading

from cordyna_core import TaskServer
from cordyna_core.aws.command_handler import handle_event
from cordyna_core.aws.runtime import build_server_runtime

server = TaskServer("task-server-a")


@server.task(name="task-1")
def keep_the_gil() -> str:
    """Return what the endpoint received. A call by PyDLL does not release the lock."""
    received = ctypes.create_string_buffer(65536)
    size = ctypes.PyDLL(None).read(int(sys.argv[1]), received, len(received))
    return received.raw[:size].decode()


def main() -> None:
    """Handle the command, with modules' threads running, as a server's import may leave them."""
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    sender = build_server_runtime(server.name).start_sender
    assert sender is not None
    sender.start()
    assert sender.ready.wait(30)
    handle_event(server, json.loads(sys.argv[2]))


if __name__ == "__main__":
    main()

"""A server whose import starts a thread, so that forking it is not safe."""

import os
import threading
import time

from cordyna_core import TaskServer

server = TaskServer("threaded")
threading.Thread(target=time.sleep, args=(3600,), name="poller", daemon=True).start()


@server.task
def pid() -> int:
    print("hello from a spawned body")
    return os.getpid()

"""Record a home as SQL, in the format of this version: `home.sql`, which later versions must read.

    python tests/golden_home/make_home.py tests/golden_home/home.sql

It is made anew only when the format changes; the file in the repository was made by an earlier
version, so that what has been added since is known to be optional.
"""

import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import DiskHome
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import CancelRun, InvokeTask

RECORDED_AT: Final = 1_795_000_000.0
"""UTC seconds of all that is recorded."""

SERVER: Final = """
from cordyna_core import Context, TaskServer, fresh

server = TaskServer("shop", owner="team-shop")
is_fixed, is_released = threading.Event(), threading.Event()

@server.task(cron="0 6 * * *", timezone="Europe/Berlin")
def extract(day: str = "today") -> dict:
    print("extracting", day)
    return {"rows": [1, 2, 3]}

@server.task(upstream=["extract"])
def load(*, ctx: Context) -> int:
    ctx.log.info("loading")
    return sum(ctx.upstream["extract"]["rows"])

@server.task(upstream=[fresh("load", within="6h")], retries=1)
def report(*, ctx: Context) -> str:
    return f"{ctx.upstream['load']} sold"

@server.task(upstream=["load"])
def audit() -> str:
    if not is_fixed.is_set():
        raise ValueError("the books do not balance")
    return "balanced"

@server.task(upstream=["load"])
def wait() -> str:
    is_released.wait()
    return "waited"
"""


def make_server() -> dict[str, Any]:
    """The names of SERVER: the server, and what its bodies wait for."""
    names: dict[str, Any] = {"threading": threading}
    # With a name of its own, so that no traceback tells where this file lies.
    exec(compile(SERVER, "shop.py", "exec"), names)
    server = names["server"]
    assert isinstance(server, TaskServer)
    return names


def record(folder: Path) -> list[str]:
    """The statements that make the home again, recorded while its engine runs."""
    names = make_server()
    with EmbeddedEngine(
        DiskHome(folder, lambda: RECORDED_AT), [names["server"]], clock=lambda: RECORDED_AT
    ) as engine:
        _end(engine, InvokeTask(task="report", key="completed", params={"day": "monday"}))
        _end(engine, InvokeTask(task="audit", key="failed"))
        cancelled = _begin(engine, InvokeTask(task="wait", key="cancelled"))
        engine.command(CancelRun(run_id=cancelled))
        engine.send(["this is no event"])
        _begin(engine, InvokeTask(task="wait", key="active"))
        statements = list(_statements(folder / "cordyna.db"))
        names["is_released"].set()
    return statements


def _begin(engine: EmbeddedEngine, command: InvokeTask) -> str:
    """Invoke, and wait until the target runs. Returns the run's id."""
    invoked = engine.invoke(command)
    assert isinstance(invoked, Invoked)
    for view in engine.follow(invoked.run_id):
        if any(task.task == command.task and task.state == "started" for task in view.tasks):
            break
    return invoked.run_id


def _end(engine: EmbeddedEngine, command: InvokeTask) -> None:
    invoked = engine.invoke(command)
    assert isinstance(invoked, Invoked)
    for _ in engine.follow(invoked.run_id):
        pass


def _statements(database: Path) -> Iterator[str]:
    connection = sqlite3.connect(database)
    try:
        for pragma in ("auto_vacuum", "journal_mode", "user_version"):
            (value,) = connection.execute(f"pragma {pragma}").fetchone()
            yield f"pragma {pragma}={value};"
        yield from connection.iterdump()
    finally:
        connection.close()


def restore(statements: str, database: Path) -> None:
    """Make a database of recorded statements."""
    connection = sqlite3.connect(database)
    try:
        connection.executescript(statements)
    finally:
        connection.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        Path(sys.argv[1]).write_text("\n".join(record(Path(made))) + "\n")

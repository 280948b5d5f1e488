"""Entry: what `dyna` finds by the entry point `cordyna.consoles`.

Invariant: importing this module imports no web server; starting a console does.
"""

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.error import URLError

from cordyna_cli.console import FILE_NAME, ConsoleOptions, RunningConsole
from cordyna_cli.engine import Engine
from cordyna_console.console_file import LOOPBACK, ConsoleFile, opening_address

ANSWER_WITHIN_S: Final = 10.0
"""A console that answers later is taken for one that hangs, and another one is served.

On a busy machine an answer may take some seconds.
"""


class ConsoleEntry:
    """Implements ConsoleFactory of the command line."""

    def start(self, engine: Engine, options: ConsoleOptions) -> RunningConsole:
        """Serve the page. Raises UserError if a port is taken, ServiceError if it cannot write."""
        # Here and not above: FastAPI takes a third of a second, and `dyna open` may not need it.
        from cordyna_console.console import Console, ConsoleIdentity  # noqa: PLC0415
        from cordyna_console.server import ConsoleServer  # noqa: PLC0415

        identity = ConsoleIdentity(
            engine=options.engine,
            where=options.where,
            place=options.place,
            command=options.command,
            by=options.by,
        )
        console = Console(engine=engine, identity=identity, now=_now)
        server = ConsoleServer(console, options.folder / FILE_NAME, port=options.port)
        server.start()
        return server

    def find(self, folder: Path) -> Callable[[str], str] | None:
        """Return the `address` of the latest console that is up for a folder, for one opening.

        None if no console is up.
        """
        file = ConsoleFile.read(folder / FILE_NAME)
        for entry in file.consoles if file is not None else ():
            # The process first: another user's program may listen where a console has ended, and
            # the token is not for it.
            code = _issue_code(entry) if entry.is_running() else None
            if code is not None:
                return partial(opening_address, entry.port, code)
        return None


def _now() -> datetime:
    return datetime.now(UTC)


def _issue_code(entry: ConsoleFile) -> str | None:
    """Return a code of the console of the entry; None if it does not answer, or is another one."""
    request = urllib.request.Request(
        f"http://{LOOPBACK}:{entry.port}/api/v1/openings",
        data=b"{}",
        headers={
            "Authorization": f"Bearer {entry.token}",
            "Content-Type": "application/json",
            "X-Cordyna": "1",
        },
        method="POST",
    )
    # Without proxies: this never leaves the machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ANSWER_WITHIN_S) as response:
            if response.status != HTTPStatus.CREATED:
                return None
            return str(json.loads(response.read())["code"])
    except (URLError, OSError, ValueError, KeyError):
        return None

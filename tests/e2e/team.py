"""A server of another team, deployed by an app of theirs with one TaskServer construct.

Both are texts here: the app needs the CDK, which `make check` does not install.
"""

from pathlib import Path

from e2e.cloud import Cloud
from e2e.team_app import TeamApp

SERVER = "task-server-e2e"

APP = """
from aws_cdk import App, Stack
from cordyna_cdk import TaskServer

app = App()
stack = Stack(app, app.node.get_context("cordyna:server"))
code = app.node.get_context("cordyna:code")
bodies = app.node.get_context("cordyna:bodies")
TaskServer(
    stack,
    "Server",
    code=code,
    server="e2e_server:server",
    max_concurrency=int(bodies) if bodies.isdecimal() else bodies,
)
app.synth()
"""

FIRST = '''
import os, time
from pathlib import Path
from cordyna_core import TaskServer

server = TaskServer("{server}", owner="team-e2e")


@server.task()
def slow(pid_file: str) -> None:
    """Writes its process id, then takes longer than its test."""
    Path(pid_file).write_text(str(os.getpid()))
    time.sleep(300)


server.task(name="killed", run_timeout_s=600)(slow)


@server.task()
def steady() -> str:
    """Never fails."""
    return "steady"


@server.task(upstream=["steady"])
def flaky() -> str:
    """Fails until the file exists that it reads."""
    return Path("{needed}").read_text()


@server.task(upstream=["steady", "flaky"])
def depending(*, ctx) -> list[str]:
    """Is blocked while flaky fails."""
    return [ctx.upstream["steady"], ctx.upstream["flaky"]]
'''

THEN = '''

@server.task(upstream=["task-1"])
def added(*, ctx) -> int:
    """Is new in this version."""
    return len(ctx.upstream["task-1"])
'''


LEAVING = '''
from cordyna_core import TaskServer

server = TaskServer("{server}", owner="team-e2e")


@server.task(cron="0 3 * * *")
def leaving() -> str:
    """Belongs to a server that is deleted."""
    return "done"
'''

BUSY = '''
import time

from cordyna_core import TaskServer

server = TaskServer("{server}", owner="team-e2e")
parts = ["part-%d" % number for number in range(4)]


def body(seconds: float = 12) -> float:
    """Keeps its worker longer than a command may wait without an answer."""
    began = time.time()
    time.sleep(seconds)
    return began


for part in parts:
    server.task(name=part)(body)


@server.task(upstream=parts)
def parts_joined(*, ctx) -> list[float]:
    """When the bodies of the parts began."""
    return sorted(ctx.upstream.values())
'''


class Team:
    """Their app and code are in `folder`; the stack is named after the server.

    `bodies`: how many run at a time behind a work queue, or `unlimited` without one.
    """

    def __init__(
        self,
        cloud: Cloud,
        folder: Path,
        *,
        server: str = SERVER,
        code: str = FIRST,
        bodies: str = "unlimited",
    ) -> None:
        self._server = server
        self._code = folder / "src"
        self._code.mkdir()
        self.needed = folder / "needed"
        """While this file is missing, `flaky` fails."""
        self._write(code)
        self.app = TeamApp.write(
            APP, cloud, folder, code=str(self._code), server=server, bodies=bodies
        )

    def add_a_task(self) -> None:
        """Write a new version of their code, without deploying it."""
        self._write(FIRST + THEN)

    def _write(self, text: str) -> None:
        (self._code / "e2e_server.py").write_text(
            text.format(server=self._server, needed=self.needed)
        )

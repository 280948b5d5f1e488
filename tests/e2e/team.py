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
TaskServer(
    stack, "Server", code=code, server="e2e_server:server", max_concurrency="unlimited"
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


class Team:
    """Their app and code are in `folder`; the stack is named after the server."""

    def __init__(
        self, cloud: Cloud, folder: Path, *, server: str = SERVER, code: str = FIRST
    ) -> None:
        self._server = server
        self._code = folder / "src"
        self._code.mkdir()
        self.needed = folder / "needed"
        """While this file is missing, `flaky` fails."""
        self._write(code)
        self.app = TeamApp.write(APP, cloud, folder, code=str(self._code), server=server)

    def add_a_task(self) -> None:
        """Write a new version of their code, without deploying it."""
        self._write(FIRST + THEN)

    def _write(self, text: str) -> None:
        (self._code / "e2e_server.py").write_text(
            text.format(server=self._server, needed=self.needed)
        )

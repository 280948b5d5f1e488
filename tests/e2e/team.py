"""Team: a server of another team's, deployed and redeployed by an app of theirs that is one line of cordyna's construct.

Both are written here as texts: the app needs the CDK, which those who only run `make check` do not have.
"""

import sys
from pathlib import Path

from e2e.cloud import Cloud

SERVER = "task-server-e2e"

APP = """
from aws_cdk import App, Stack
from cordyna_cdk import TaskServer

app = App()
stack = Stack(app, "task-server-e2e")
TaskServer(stack, "Server", code=app.node.get_context("cordyna:code"), server="e2e_server:server")
app.synth()
"""

FIRST = '''
import os, time
from pathlib import Path
from cordyna_core import TaskServer

server = TaskServer("{server}", owner="team-e2e")


@server.task()
def slow(tell_pid: str) -> None:
    """Tells its process id, then takes longer than its run clock allows."""
    Path(tell_pid).write_text(str(os.getpid()))
    time.sleep(300)


server.task(name="killed", run_timeout_s=8)(slow)


@server.task()
def steady() -> str:
    """Never fails."""
    return "steady"


@server.task(upstream=["steady"])
def flaky() -> str:
    """Fails until somebody mends what it needs."""
    return Path("{mended}").read_text()


@server.task(upstream=["steady", "flaky"])
def depending(*, ctx) -> list[str]:
    """Is blocked as long as flaky fails."""
    return [ctx.upstream["steady"], ctx.upstream["flaky"]]
'''

THEN = '''

@server.task(upstream=["task-1"])
def added(*, ctx) -> int:
    """Was not there before."""
    return len(ctx.upstream["task-1"])
'''


class Team:
    """What they write stands in `folder`."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._cloud, self._folder = cloud, folder
        self._code = folder / "src"
        self._code.mkdir()
        self.mended = folder / "mended"
        """As long as there is no such file, `flaky` fails."""
        self._write(FIRST)

    def add_a_task(self) -> None:
        """A new version of their code, not deployed yet."""
        self._write(FIRST + THEN)

    def deploy(self) -> None:
        """`cdk deploy`, in their own stack."""
        app = self._folder / "app.py"
        app.write_text(APP)
        self._cloud.deploy(
            f"{sys.executable} {app}", self._folder / "cdk.out", code=str(self._code)
        )

    def _write(self, text: str) -> None:
        (self._code / "e2e_server.py").write_text(text.format(server=SERVER, mended=self.mended))

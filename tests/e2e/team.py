"""Team: a server of another team's, deployed and redeployed by an app of theirs that is three lines of cordyna's construct."""

import sys
from pathlib import Path

from e2e.cloud import Cloud

SERVER = "task-server-e2e"

FIRST = f'''
import os, time
from pathlib import Path
from cordyna_core import TaskServer

server = TaskServer("{SERVER}", owner="team-e2e")


@server.task()
def slow(tell_pid: str) -> None:
    """Tells its process id, then takes longer than its run clock allows."""
    Path(tell_pid).write_text(str(os.getpid()))
    time.sleep(300)


server.task(name="killed", run_timeout_s=8)(slow)
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
        self._write(FIRST)

    def add_a_task(self) -> None:
        """A new version of their code, not deployed yet."""
        self._write(FIRST + THEN)

    def deploy(self) -> None:
        """`cdk deploy`, in their own stack."""
        app = Path(__file__).with_name("team_app.py")
        self._cloud.deploy(f"{sys.executable} {app}", self._folder / "cdk.out", code=str(self._code))

    def _write(self, text: str) -> None:
        (self._code / "e2e_server.py").write_text(text)

"""A server of another team, and the template of its stack."""

from pathlib import Path
from typing import Any

from aws_cdk import App, Stack

from cordyna_cdk import TaskServer
from infra.templates import Template, templates_in

SERVER = """
from cordyna_core import TaskServer
server = TaskServer("sales", owner="team-s")

@server.task({declared})
def total():
    return 1
"""


def written(folder: Path, declared: str = "") -> Path:
    """Write its code into `folder`; `declared`: arguments of its task."""
    folder.mkdir()
    (folder / "sales.py").write_text(SERVER.format(declared=declared))
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return folder


def deployed(tmp_path: Path, **given: Any) -> Template:
    """The template of a stack with one TaskServer, made with the arguments `given`."""
    app = App(outdir=str(tmp_path / "out"), context={})
    TaskServer(Stack(app, "cordyna-team"), "Sales", server="sales:server", **given)
    app.synth()
    return templates_in(tmp_path / "out")["team"]

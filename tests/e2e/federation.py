"""The servers of examples/federation: orders and reporting deployed by one app, finance played.

The body of finance may take four hours, which no Lambda may, and its container is not started here:
the test sends what it would send.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from cordyna_core.server.loading import load_server
from e2e.cloud import ROOT, Cloud
from e2e.team_app import TeamApp

EXAMPLE = ROOT / "examples" / "federation"

APP = """
from aws_cdk import App, Stack
from cordyna_cdk import TaskServer

app = App()
stack = Stack(app, "federation")
for name in ("orders", "reporting"):
    code = app.node.get_context("cordyna:code") + "/" + name
    TaskServer(stack, name.capitalize(), code=code, server=name + ":server")
app.synth()
"""


def declaration_of(file: str, **changes: dict[str, Any]) -> dict[str, Any]:
    """What the server of a file of the example declares; `changes` are fields of its tasks."""
    declared = load_server(str(EXAMPLE / file)).declaration
    detail = declared.model_dump(mode="json", exclude_defaults=True)
    tasks = [task | changes.get(task["name"], {}) for task in detail["tasks"]]
    return detail | {"contract": declared.contract, "tasks": tasks}


class Federation:
    """Their app and code are in `folder`."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._cloud, self._folder = cloud, folder
        for name in ("orders", "reporting"):
            (folder / name).mkdir()
            self._copy(f"{name}.py", folder / name / f"{name}.py")
        self.app = TeamApp.write(APP, cloud, folder, code=str(folder))

    def put_orders_v2(self) -> None:
        """Replace the code of orders by its next version, and declare that."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(EXAMPLE / "orders_v2.py", "orders.py")
        file = self._folder / "orders_v2.zip"
        file.write_bytes(packed.getvalue())
        self._cloud.aws(
            *("lambda", "update-function-code", "--function-name", "orders-worker"),
            *("--zip-file", f"fileb://{file}"),
        )
        revision = self.revision_of("orders") + 1
        declared = declaration_of("orders_v2.py") | {"revision": revision}
        self._cloud.put("ServerDeclared", declared, source="cordyna.server.orders")

    def revision_of(self, server: str) -> int:
        """The accepted revision."""
        listed = json.loads(self._cloud.dyna("servers", "--json").stdout)
        (revision,) = [each["revision"] for each in listed if each["server"] == server]
        return int(revision)

    @staticmethod
    def _copy(name: str, to: Path) -> None:
        to.write_text((EXAMPLE / name).read_text())

"""A CDK app of another team, deployed to the emulator by its own `cdk deploy`."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from e2e.cloud import Cloud


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamApp:
    """All stacks of the app in `file`, synthesized into `into` with the context of the cloud.

    `context`: what it is told beside that.
    """

    cloud: Cloud
    file: Path
    into: Path
    context: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def write(cls, text: str, cloud: Cloud, folder: Path, **context: str) -> Self:
        """Write the app `text` into `folder`, and return it."""
        file = folder / "app.py"
        file.write_text(text)
        return cls(cloud=cloud, file=file, into=folder / "cdk.out", context=context)

    def deploy(self) -> None:
        """Run `cdk deploy`."""
        self._cdk("deploy", "--require-approval", "never")

    def delete(self) -> None:
        """Run `cdk destroy`, which removes the servers from the graph, too."""
        self._cdk("destroy", "--force")

    def _cdk(self, command: str, *options: str) -> None:
        local = self.cloud.deployed
        values = local.options_of(local.context() | self.context)
        app = ("--app", f"{sys.executable} {self.file}", "--output", str(self.into), "--all")
        local.cdk(command, *app, *options, *values)

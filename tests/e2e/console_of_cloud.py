"""The console of a cloud: `dyna --profile local ui`, and its API with the token of its file."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cloud import Cloud

ADDRESS = re.compile(r"^(http://127\.0\.0\.1:\d+)/open")


@dataclass(frozen=True, slots=True)
class CloudConsole:
    """A console that answers."""

    origin: str
    token: str

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer; with a body, of a POST."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers |= {"X-Cordyna": "1", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.origin}/api/v1{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())


@contextmanager
def console_of(cloud: Cloud) -> Iterator[CloudConsole]:
    """Serve the page of the cloud while the block runs."""
    command = [str(Path(sys.executable).with_name("dyna")), "--profile", "local", "ui", "--no-open"]
    environment = {
        name: value for name, value in cloud.environment.items() if name != "AWS_ENDPOINT_URL"
    }
    with subprocess.Popen(
        command, env=environment, cwd=cloud.folder, stdout=subprocess.PIPE, text=True
    ) as served:
        try:
            assert served.stdout is not None
            match = next(filter(None, map(ADDRESS.match, served.stdout)), None)
            assert match is not None, "the console ended"
            folder = Path(environment["XDG_CONFIG_HOME"]) / "cordyna" / "consoles"
            (file,) = folder.rglob("console.json")
            yield CloudConsole(match[1], json.loads(file.read_text())["token"])
        finally:
            served.terminate()

"""An emulator with cordyna deployed to it, and the two command lines that operators use.

It is set up and used as docs/deploying.md and docs/how-to/invoke.md show.
"""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from cordyna_core.contract.base import Message
from cordyna_core.contract.envelope import Envelope, open_envelope

ROOT = Path(__file__).parents[2]
BUS = "cordyna"

T = TypeVar("T")
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Published(Generic[M]):
    """An event of the bus, with its message."""

    envelope: Envelope
    message: M

    @property
    def source(self) -> str:
        return self.envelope.source

    @property
    def sent_at(self) -> datetime:
        return self.envelope.sent_at


class Cloud:
    """One emulator on this machine, stopped by its process id.

    CORDYNA_E2E=attach uses the running one of GATEWAY_PORT and CORDYNA_CLOUD and leaves it up, for
    work on these tests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._attached = os.environ.get("CORDYNA_E2E") == "attach"
        if not self._attached:
            own = {
                "CORDYNA_CLOUD": str(folder),
                "GATEWAY_PORT": str(free_port()),
                "XDG_CONFIG_HOME": str(folder / "config"),
            }
            os.environ.update(own)
        os.environ.update(
            {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "CORDYNA_OUTPUT": str(folder / "output"),
            }
        )
        self.deployed = _module(ROOT / "infra" / "local_cloud" / "cloud.py")
        self.environment: dict[str, str] = self.deployed.environment()

    def start(self) -> None:
        if not self._attached:
            self._make("start")
        # The emulator starts the processes of functions one after another when first needed: on a
        # busy machine longer than the acknowledgement clock. The run heals, but tests of order need
        # warm functions.
        assert self.dyna("do", "task-3").returncode in (0, 1)
        assert self.dyna("do", "task-3").returncode == 0

    def stop(self) -> None:
        if not self._attached:
            self._make("stop")

    def _make(self, command: str) -> None:
        # As `make cloud` and `make cloud-stop`: by a process that ends, so that the emulator
        # outlives it.
        script = str(ROOT / "infra" / "local_cloud" / "cloud.py")
        done = subprocess.run(
            [sys.executable, script, command],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    # The command lines.
    def aws(self, *words: str) -> Any:
        """The answer of the real AWS CLI."""
        command = [
            str(self.deployed.EMULATOR.with_name("aws")),
            "--endpoint-url",
            self.deployed.endpoint(),
            "--output",
            "json",
            *words,
        ]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def dyna(self, *words: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        """`dyna --profile local`."""
        command = [str(Path(sys.executable).with_name("dyna")), "--profile", "local", *words]
        environment = {
            name: value for name, value in self.environment.items() if name != "AWS_ENDPOINT_URL"
        }
        return subprocess.run(
            command,
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def shown(self, run_id: str) -> dict[str, Any]:
        """The published JSON of a run; `tasks` by name."""
        shown = self.dyna("show", run_id, "--json")
        assert shown.returncode == 0, shown.stderr
        run: dict[str, Any] = json.loads(shown.stdout)
        return run | {"tasks": {task["task"]: task for task in run["tasks"]}}

    # The bus.
    @cached_property
    def events_log(self) -> str:
        """The log group of every event."""
        name = "/cordyna/local/events-log"
        return str(self.aws("ssm", "get-parameter", "--name", name)["Parameter"]["Value"])

    def put(
        self, detail_type: str, detail: dict[str, Any], *, source: str = "cordyna.client"
    ) -> str:
        """Put an event by `aws events put-events`; returns its id."""
        entry = {
            "EventBusName": BUS,
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
        }
        answer = self.aws("events", "put-events", "--entries", json.dumps([entry]))
        assert answer["FailedEntryCount"] == 0
        return str(answer["Entries"][0]["EventId"])

    def events_with(self, term: str) -> list[Envelope]:
        """Every event of the bus that contains `term`, in order."""
        matching = self.aws(
            "logs",
            "filter-log-events",
            "--log-group-name",
            self.events_log,
            "--filter-pattern",
            f'"{term}"',
        )
        return [open_envelope(event["message"]) for event in matching["events"]]

    def of(self, kind: type[M], term: str, **fields: Any) -> list[Published[M]]:
        """The events that contain `term`, of one kind, whose message has these fields."""
        return [
            Published(envelope, envelope.message)
            for envelope in self.events_with(term)
            if isinstance(envelope.message, kind)
            and all(getattr(envelope.message, name) == value for name, value in fields.items())
        ]


def until(poll: Callable[[], T | None], *, within_s: float, every_s: float = 0.5) -> T:
    """The first truthy result of `poll`. Fails after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (result := poll()):
        assert time.monotonic() < deadline, f"nothing within {within_s} s"
        time.sleep(every_s)
    return result


def free_port() -> int:
    """A free port of this machine."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


def _module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("local_cloud", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

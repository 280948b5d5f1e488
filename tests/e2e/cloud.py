"""Cloud: an emulator with cordyna deployed to it, and the two command lines by which a person reaches it."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from cordyna_core.contract.base import Message
from cordyna_core.contract.envelope import Envelope, open_envelope

ROOT = Path(__file__).parents[2]
BUS = "cordyna"
LOG = f"/aws/events/{BUS}"

Found = TypeVar("Found")


class Cloud:
    """One emulator on this machine, ended by its process id.

    CORDYNA_E2E=attach: the one that GATEWAY_PORT and CORDYNA_CLOUD name, which is up and stays so; for whoever works on these tests.
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
        # The emulator starts its functions' processes one after another, when they are first needed: for some seconds, on a
        # busy machine, longer than the clock of acknowledgement. (The run heals; but a test of order wants no such story.)
        assert self.dyna("do", "task-3").returncode in (0, 1)
        assert self.dyna("do", "task-3").returncode == 0

    def stop(self) -> None:
        if not self._attached:
            self._make("stop")

    def _make(self, what: str) -> None:
        # As `make cloud` and `make cloud-stop` do it: by a process that ends, so that the emulator is nobody's child.
        command = [sys.executable, str(ROOT / "infra" / "local_cloud" / "cloud.py"), what]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr

    def deploy(self, app: str, into: Path, **told: str) -> None:
        """Synthesize another app for this cloud, and deploy all of it."""
        options = self.deployed.options_of(self.deployed.context() | told)
        self.deployed.cdk(
            "deploy",
            "--app",
            app,
            "--output",
            str(into),
            "--all",
            "--require-approval",
            "never",
            *options,
        )

    # --- the command lines ---------------------------------------------------------------------------------------------
    def aws(self, *words: str) -> Any:
        """The real AWS CLI; what it answers."""
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
        told = self.dyna("show", run_id, "--json")
        assert told.returncode == 0, told.stderr
        run: dict[str, Any] = json.loads(told.stdout)
        return run | {"tasks": {task["task"]: task for task in run["tasks"]}}

    # --- the bus -------------------------------------------------------------------------------------------------------
    def put(
        self, detail_type: str, detail: dict[str, Any], *, source: str = "cordyna.client"
    ) -> str:
        """`aws events put-events`, as a person types it; the event's id."""
        entry = {
            "EventBusName": BUS,
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
        }
        answer = self.aws("events", "put-events", "--entries", json.dumps([entry]))
        assert answer["FailedEntryCount"] == 0
        return str(answer["Entries"][0]["EventId"])

    def passed(self, term: str) -> list[Envelope]:
        """Every event of the bus that holds `term`, in order."""
        found = self.aws(
            "logs", "filter-log-events", "--log-group-name", LOG, "--filter-pattern", f'"{term}"'
        )
        return [open_envelope(event["message"]) for event in found["events"]]

    def of(self, kind: type[Message], term: str, **fields: Any) -> list[Envelope]:
        """Those of one kind, whose message has these fields."""
        return [
            envelope
            for envelope in self.passed(term)
            if isinstance(envelope.message, kind)
            and all(getattr(envelope.message, name) == value for name, value in fields.items())
        ]


def until(found: Callable[[], Found | None], *, within_s: float, every_s: float = 0.5) -> Found:
    """What `found` finds, as soon as it does."""
    end = time.monotonic() + within_s
    while not (answer := found()):
        assert time.monotonic() < end, f"nothing within {within_s} s"
        time.sleep(every_s)
    return answer


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("local_cloud", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""Kill loop: random kills of engine, host, templates and bodies while runs go on, with a checker.

    PYTHONPATH=tests python -m world.kill_loop --kills 200 --seed 1

Two `dyna dev` share one home; whichever is killed is started again. A client invokes runs and
cancels some. Some victims are stopped and continued instead, a few for longer than an engine waits
for its host. Afterwards kill_check says what does not hold.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import DiskHome
from cordyna_cli.engine import Invoked
from cordyna_core.contract.commands import CancelRun, InvokeTask
from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.errors import UserError
from cordyna_core.worker.processes import kill_all
from world.kill_check import (
    Completion,
    KillHistory,
    RunEnd,
    left_on_purpose,
    parse_effects,
    violations,
)

DYNA: Final = str(Path(sys.executable).with_name("dyna"))
SETTLE_S: Final = 120.0
LONG_STOP_S: Final = 12.0
"""Longer than an engine waits for the answer of its host."""
_STOP_SHARE: Final = 0.25
_LONG_STOP_SHARE: Final = 0.02

SERVER: Final = """
import os, random, time
from cordyna_core import Context, TaskServer

server = TaskServer("loop", concurrency=4)

def note(ctx, what):
    descriptor = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    line = f"{time.time()} {what} {ctx.run_id} {ctx.task} {ctx.attempt} {os.getpid()}\\n"
    os.write(descriptor, line.encode())
    os.close(descriptor)

def leave_daemon(ctx):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            note(ctx, "left")
            os.closerange(0, 3)
            time.sleep(600)
        os._exit(0)
    os.wait()

def add(n):
    upstream = [f"t{u}" for u in sorted({n - 1, n // 2})] if n else []

    @server.task(name=f"t{n}", upstream=upstream, retries=20)
    def body(*, ctx: Context) -> int:
        note(ctx, "begin")
        print("task", n, "begins")
        if n == 3:
            leave_daemon(ctx)
        time.sleep(random.random() * 0.15)
        note(ctx, "end")
        return n

for n in range(8):
    add(n)
"""


@dataclass
class KillCounts:
    """What happened."""

    kills: dict[str, int] = field(default_factory=dict)
    invoked: list[str] = field(default_factory=list)
    cancelled: dict[str, float] = field(default_factory=dict)


class KillLoop:
    """One home under fire."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._random = folder, random.Random(seed)
        (folder / "loop.py").write_text(SERVER)
        self._effects = folder / "effects"
        self._effects.touch()
        self._environment = {
            **os.environ,
            "CORDYNA_HOME": str(folder / "home"),
            "EFFECTS": str(self._effects),
        }
        self._drivers: list[subprocess.Popen[bytes]] = []
        self._stopped: dict[int, float] = {}
        self.counts = KillCounts()

    def run(self, kills: int) -> list[str]:
        """Kill so often, let everything settle, and check. Returns the violations."""
        self._start_drivers()
        try:
            while sum(self.counts.kills.values()) < kills:
                self._continue_stopped()
                self._start_drivers()
                self._act()
                self._kill()
                time.sleep(self._random.random() * 0.4)
            unfinished = self._settle()
        finally:
            self._end_drivers()
        history = self._history()
        try:
            return [*unfinished, *violations(history)]
        finally:
            kill_all(left_on_purpose(history) & history.processes)

    # -- playing ------------------------------------------------------------------------------

    def _start_drivers(self) -> None:
        self._drivers = [driver for driver in self._drivers if driver.poll() is None]
        while len(self._drivers) < 2:
            log = (self._folder / "drivers.log").open("ab")
            self._drivers.append(
                subprocess.Popen(
                    [DYNA, "--server", "loop.py", "dev", "--no-page"],
                    cwd=self._folder,
                    env=self._environment,
                    stdout=log,
                    stderr=log,
                )
            )
            log.close()

    def _act(self) -> None:
        """Invoke a run, or cancel one. A command without an answer is not counted."""
        with EmbeddedEngine(DiskHome(self._folder / "home"), []) as engine:
            try:
                if self.counts.invoked and self._random.random() < 0.2:
                    run_id = self._random.choice(self.counts.invoked[-3:])
                    if engine.command(CancelRun(run_id=run_id), wait_s=10) is None:
                        self.counts.cancelled.setdefault(run_id, time.time())
                    return
                invoked = engine.invoke(InvokeTask(task="t7"), detached=True, wait_s=10)
                if isinstance(invoked, Invoked):
                    self.counts.invoked.append(invoked.run_id)
            except UserError:
                return  # No driver at this moment, or none that answered in time.

    def _kill(self) -> None:
        kind = self._random.choice(("engine", "host", "template", "body"))
        left = {
            each.pid for each in parse_effects(self._effects.read_text()) if each.what == "left"
        }
        victims = [pid for pid in _processes(self._folder / "home")[kind] if pid not in left]
        if not victims:
            return
        victim = self._random.choice(victims)
        how = self._random.random()
        what = "stopped" if how < _STOP_SHARE else "killed"
        self.counts.kills[f"{kind} {what}"] = self.counts.kills.get(f"{kind} {what}", 0) + 1
        try:
            if how >= _STOP_SHARE:
                os.kill(victim, signal.SIGKILL)
                return
            os.kill(victim, signal.SIGSTOP)
        except ProcessLookupError:
            return  # It has ended by itself.
        stop_s = LONG_STOP_S if how < _LONG_STOP_SHARE else self._random.random()
        self._stopped[victim] = time.monotonic() + stop_s

    def _continue_stopped(self, *, every: bool = False) -> None:
        for pid, until in list(self._stopped.items()):
            if every or time.monotonic() >= until:
                del self._stopped[pid]
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _settle(self) -> list[str]:
        give_up_at = time.monotonic() + SETTLE_S
        while True:
            self._continue_stopped()
            self._start_drivers()
            with EmbeddedEngine(DiskHome(self._folder / "home"), []) as engine:
                active = [
                    run_id for run_id in self.counts.invoked if not engine.run(run_id).is_final
                ]
            if not active:
                return []
            if time.monotonic() >= give_up_at:
                return [f"run {run_id} has not ended" for run_id in active]
            time.sleep(0.5)

    def _end_drivers(self) -> None:
        self._continue_stopped(every=True)
        for driver in self._drivers:
            driver.terminate()
        for driver in self._drivers:
            driver.wait(timeout=60)

    def _history(self) -> KillHistory:
        with EmbeddedEngine(DiskHome(self._folder / "home"), []) as engine:
            views = {run_id: engine.run(run_id) for run_id in self.counts.invoked}
            letters = tuple(reason for _, reason in engine.dead_letters())
            completions = tuple(_completions(engine))
        processes = _processes(self._folder / "home").values()
        return KillHistory(
            effects=tuple(parse_effects(self._effects.read_text())),
            completions=completions,
            runs={
                run_id: RunEnd(view.state, is_cancelled=bool(view.cancelled))
                for run_id, view in views.items()
            },
            cancelled=self.counts.cancelled,
            dead_letters=letters,
            processes=frozenset(pid for pids in processes for pid in pids),
        )


def _completions(engine: EmbeddedEngine) -> Iterator[Completion]:
    """Each `completed` of an attempt that was recorded, oldest first."""
    for event in engine.events():
        envelope = open_envelope(event.text)
        message = envelope.message
        if isinstance(message, TaskStateChanged) and message.state == "completed":
            at = envelope.time.timestamp()
            yield Completion(at, message.run_id, message.task, message.attempt)


def _processes(home: Path) -> dict[str, list[int]]:
    """The processes of a home by their role, told by who started them."""
    found = {
        pid: process
        for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        if (process := _process(pid, home)) is not None
    }
    hosts = {pid for pid, process in found.items() if process.is_host}
    roles: dict[str, list[int]] = {"engine": [], "host": [], "template": [], "body": []}
    for pid, process in found.items():
        if process.is_host:
            role = "host"
        elif process.parent in hosts:
            role = "template"
        else:
            role = "body" if process.parent in found else "engine"
        roles[role].append(pid)
    return roles


class _Process(NamedTuple):
    parent: int
    is_host: bool


def _process(pid: int, home: Path) -> _Process | None:
    """A live process of this home."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    if f"CORDYNA_HOME={home}".encode() not in environment or state in "ZX":
        return None
    return _Process(int(parent), b"cordyna_core.worker.host.host" in command)


def main() -> int:
    """Run the loop. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        loop = KillLoop(Path(folder), arguments.seed)
        found = loop.run(arguments.kills)
    counts = loop.counts
    kills = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.kills.items()))
    report = [
        f"seed {arguments.seed}: {kills}",
        f"{len(counts.invoked)} runs, {len(counts.cancelled)} cancelled",
        *(f"violation: {violation}" for violation in found),
        f"{0 if found else 1} passed, {len(found)} failed",
    ]
    sys.stdout.write("\n".join(report) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

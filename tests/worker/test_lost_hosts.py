"""Hosts that are lost at any request: the next one gets what is still to be done, once.

The host is a script here: it takes so many requests, and is lost at the next one.
"""

import contextlib
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.time import utc
from cordyna_core.worker.pool import host_slot
from cordyna_core.worker.pool.events import AttemptEnded, Declared, Event
from cordyna_core.worker.pool.host_process import HostLostError
from cordyna_core.worker.pool.pool import WorkerPool
from cordyna_core.worker.settings import Settings
from cordyna_core.worker.spec import ServerSpec
from worker.running import a_session, is_alive, read_when_there, wait_until_dead

NO_LIMIT = 10**9
ENOUGH_ROUNDS = 30
_ASIDE = ("ping", "busy", "close")


@dataclass
class ScriptedHost:
    """Takes `requests_max` requests, and is lost at the next one."""

    requests_max: int
    pid: int = 1
    requests: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sockets = socket.socketpair()

    def fileno(self) -> int:
        return self._sockets[0].fileno()

    def send(self, request: dict[str, Any], frame: bytes = b"") -> None:
        if len(self.requests) >= self.requests_max:
            raise HostLostError("the script says so")
        self.requests.append(request)
        if request["op"] == "ping":
            self.events.append({"event": "pong", "number": request["number"]})

    def receive(self) -> list[dict[str, Any]]:
        events, self.events = self.events, []
        return events

    def end(self) -> None:
        for end in self._sockets:
            end.close()

    def wait_for_end(self, timeout_s: float) -> None:
        self.end()

    def progress(self) -> None:
        """A script uses no processor."""

    def declare(self, target: str) -> None:
        fields = {"event": "declared", "target": target, "server": target, "generation": 1}
        more = {"detail": {"server": target}, "mode": "fork", "mode_reason": "", "concurrency": 1}
        self.events.append({**fields, **more})

    @property
    def asked(self) -> list[str]:
        """What it was asked to do: `start a`, `run t`."""
        return [_words(request) for request in self.requests if request["op"] not in _ASIDE]


def _words(request: dict[str, Any]) -> str:
    match request["op"]:
        case "start" | "reload":
            return f"{request['op']} {request['spec']['target']}"
        case "run":
            return f"run {request['command'].key.task}"
        case "expect":
            return f"expect {' '.join(request['targets'])}"
    return str(request["op"])


class Scripted:
    """A pool whose hosts follow a script, on a clock that is moved by `settle` only."""

    def __init__(self, limits: Iterator[int]) -> None:
        self.hosts: list[ScriptedHost] = []
        self.events: list[Event] = []
        self._limits, self._now_s = limits, 0.0
        self.pool = WorkerPool(
            token="scripted", settings=Settings(), clock=lambda: self._now_s, now=lambda: 0.0
        )

    @property
    def host(self) -> ScriptedHost:
        return self.hosts[-1]

    def begin_host(self) -> ScriptedHost:
        self.hosts.append(ScriptedHost(next(self._limits, NO_LIMIT)))
        return self.hosts[-1]

    def start(self, *targets: str) -> None:
        self.pool.start([ServerSpec(target) for target in targets])

    def run(self, task: str, server: str = "a") -> None:
        clocks = {"ack_by": utc(10.0), "start_by": utc(20.0)}
        self.pool.run(RunTask(server=server, run_id="0" * 26, task=task, attempt=1, **clocks))

    def receive(self) -> None:
        self.events += self.pool.receive()

    def become_ready(self) -> None:
        self.host.events.append({"event": "ready", "pid": 1})
        self.receive()

    def lose(self) -> None:
        self.host.requests_max = 0
        self.pool.request_busy()

    def settle(self) -> None:
        """Let hosts start, be ready and load, until one has done everything."""
        for _ in range(ENOUGH_ROUNDS):
            self._now_s += 1.5
            if self.pool.host_pid:
                self.become_ready()
                loads = [words.split()[1] for words in self.host.asked if words[:5] == "start"]
                for target in loads:
                    self.host.declare(target)
            self.receive()


@contextlib.contextmanager
def scripted(*limits: int) -> Iterator[Scripted]:
    """Hosts that take so many requests each; all later ones take any number."""
    with pytest.MonkeyPatch.context() as patch:
        holder: list[Scripted] = []
        first: list[ScriptedHost] = []

        def begin(*_: Any, **__: Any) -> ScriptedHost:
            if holder:
                return holder[0].begin_host()
            first.append(ScriptedHost(limits[0] if limits else NO_LIMIT))
            return first[0]

        patch.setattr(host_slot, "HostProcess", begin)
        made = Scripted(iter(limits[1:]))
        made.hosts.extend(first)
        holder.append(made)
        try:
            yield made
        finally:
            made.pool.close()


def test_host_lost_at_expect_is_followed_by_a_fresh_one() -> None:
    """1. The first host is lost at a command. 2. The second one at `expect`: it is answered."""
    with scripted(2, 0) as world:
        world.start("a", "b")
        world.run("t")
        world.settle()

    assert [host.asked for host in world.hosts] == [
        ["start a", "start b"],
        [],
        ["expect a b", "start a", "start b"],
    ]
    assert [e.outcome for e in world.events if isinstance(e, AttemptEnded)] == ["died"]


def test_kept_command_is_given_to_the_second_host_once() -> None:
    with scripted(2) as world:
        world.start("a", "b")
        world.run("t")
        world.settle()

    assert world.host.asked.count("run t") == 1
    assert world.host.asked[0] == "expect a b"


def test_host_lost_while_it_loads_servers_loads_each_once() -> None:
    with scripted(1) as world:
        world.start("a", "b", "c")
        world.settle()

    assert sorted(world.host.asked) == ["expect a", "start a", "start b", "start c"]


def test_reload_asked_for_without_a_host_is_no_second_load() -> None:
    with scripted(NO_LIMIT, 0) as world:
        world.start("a")
        world.settle()
        world.lose()
        assert world.pool.host_pid == 0
        world.pool.reload("a")
        world.settle()

    assert world.host.asked == ["start a"]


def test_reload_of_a_waiting_server_is_no_second_load() -> None:
    with scripted() as world:
        world.start("a", "b")
        world.become_ready()
        world.lose()
        world.become_ready()
        assert world.host.asked == ["expect a b", "start a"]
        world.pool.reload("b")
        world.start("b")
        world.settle()

    assert world.host.asked == ["expect a b", "start a", "start b"]


def test_server_removed_and_started_without_a_host_is_served() -> None:
    with scripted(NO_LIMIT, 0) as world:
        world.start("a")
        world.settle()
        world.lose()
        world.pool.remove("a")
        world.start("a")
        world.settle()

    assert world.host.asked == ["start a"]


def test_server_removed_while_it_loads_delays_no_other() -> None:
    with scripted() as world:
        world.start("a", "b", "c")
        world.become_ready()
        world.lose()
        world.become_ready()
        world.pool.remove("a")
        world.pool.remove("b")
        world.host.declare("a")
        world.receive()

    assert world.host.asked == ["expect a b c", "start a", "remove", "remove", "start c"]
    assert not [event for event in world.events if isinstance(event, Declared)]


def test_request_of_no_attempt_survives_lost_hosts() -> None:
    with scripted(NO_LIMIT, 0, 0) as world:
        world.start("a")
        world.settle()
        world.lose()
        world.pool.drain(5.0)
        world.settle()

    assert world.host.asked == ["start a", "drain"]


STEPS = st.lists(
    st.sampled_from(["start a", "start b", "reload a", "remove b", "run", "lose", "look"]),
    max_size=12,
)


@settings(max_examples=50)
@given(steps=STEPS, limits=st.lists(st.integers(0, 5), max_size=6))
def test_no_lost_host_makes_a_command_run_twice(steps: list[str], limits: list[int]) -> None:
    with scripted(*limits) as world:
        world.start("a", "b")
        for number, step in enumerate(steps):
            match step.split():
                case ["lose"]:
                    world.lose()
                case ["look"]:
                    world.settle()
                case ["run"]:
                    world.run(f"t{number}")
                case ["start", target]:
                    world.start(target)
                case ["reload", "a"]:
                    world.pool.reload("a")
                case ["remove", target]:
                    world.pool.remove(target)
        world.settle()

    given_to_last = Counter(words for words in world.host.asked if words.startswith("run"))
    ended = [event.key.task for event in world.events if isinstance(event, AttemptEnded)]
    assert set(given_to_last.values()) <= {1}
    assert len(world.pool.live) + len(ended) == steps.count("run")
    assert len(ended) == len(set(ended))


def test_server_removed_while_it_loads_is_ended(tmp_path: Path) -> None:
    marker, target = tmp_path / "pid", tmp_path / "slow.py"
    target.write_text(
        f"import os, pathlib, time\npathlib.Path({str(marker)!r}).write_text(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    with a_session() as session:
        session.pool.start([ServerSpec(str(target))])
        pid = int(read_when_there(marker))
        assert is_alive(pid)

        session.pool.remove(str(target))

        wait_until_dead(pid)

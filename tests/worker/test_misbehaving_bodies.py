"""Bodies that misbehave, at random and side by side, beside a server that does not."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cordyna_core.worker.settings import Settings
from cordyna_core.worker.spec import ServerSpec
from worker.running import SERVERS, Attempt, Session, a_session

CHAOS: Final = {"one": "misbehaving", "two": "hostile", "three": "misbehaving"}
"""The file of each server that misbehaves."""
_RUN_TIMEOUT_S: Final = 0.5
_SETTINGS: Final = Settings(kill_after_s=0.2, pipes_grace_s=0.1, queued_after_s=60)


def ends_of(file: str) -> dict[str, str]:
    """How each task of a file must end: `completed`, or the reason of its error."""
    spec = importlib.util.spec_from_file_location(file, SERVERS / f"{file}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, str] = module.EXPECTED
    return found


EXPECTED: Final = {server: ends_of(file) for server, file in CHAOS.items()}
WAYS: Final = [(server, task) for server in CHAOS for task in sorted(EXPECTED[server])]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with a_session(_SETTINGS) as found:
        found.pool.start([ServerSpec(str(SERVERS / "innocent.py"))])
        for name, file in CHAOS.items():
            folder = tmp_path_factory.mktemp(name)
            copy = folder / "chaos.py"
            copy.write_text((SERVERS / f"{file}.py").read_text())
            env = (("MISBEHAVING_NAME", name),)
            found.pool.start([ServerSpec(str(copy), concurrency=3, env=env)])
        for _ in range(4):
            found.wait(lambda event: type(event).__name__ in ("Declared", "LoadFailed"))
        yield found


def test_there_are_many_ways_to_misbehave() -> None:
    assert len({task for _, task in WAYS}) >= 60


@pytest.mark.parametrize(("server", "task"), [way for way in WAYS if way[0] != "three"])
def test_misbehaving_body_ends_as_expected(session: Session, server: str, task: str) -> None:
    attempt = session.do(task, server=server, timeout_s=_timeout_s(server, task))

    _check(server, task, attempt)


def test_error_that_ends_the_report_names_its_type_once(session: Session) -> None:
    error = session.do("leaves-no-recursion", server="two").final["error"]

    assert error["type"] == "RecursionError"
    assert error["message"].startswith("maximum recursion depth exceeded")


@settings(
    max_examples=int(os.environ.get("WORKER_EXAMPLES", "4")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from(WAYS), min_size=3, max_size=9))
def test_innocent_server_beside_chaos_stays_exact(
    session: Session, chaos: list[tuple[str, str]]
) -> None:
    bad = [
        (server, task, session.begin(task, server=server, timeout_s=_timeout_s(server, task)))
        for server, task in chaos
    ]
    good = [session.begin("count", server="innocent", number=number) for number in range(6)]

    for number, command in enumerate(good):
        _check_innocent(number, session.end(command))
    for server, task, command in bad:
        _check(server, task, session.end(command))
    session.events.clear()


def _timeout_s(server: str, task: str) -> float:
    return _RUN_TIMEOUT_S if EXPECTED[server][task] == "run_timeout" else 60


def _check(server: str, task: str, attempt: Attempt) -> None:
    final = attempt.final
    found = final["state"] if final["state"] == "completed" else final["reason"]
    assert found == EXPECTED[server][task], (task, final)
    assert len(attempt.outcomes) == 1


def _check_innocent(number: int, attempt: Attempt) -> None:
    assert attempt.final["output"] == {"number": number}
    assert attempt.output("stdout") == "".join(f"innocent {number} {n}\n" for n in range(20))
    assert attempt.output("stderr") == f"{number} on stderr\n"
    assert attempt.output("log") == f"INFO {number} logged\n"
    assert attempt.outcome == "reused"


def test_nothing_is_left_in_the_home_folder() -> None:
    assert not list(Path(SERVERS).glob("core*"))

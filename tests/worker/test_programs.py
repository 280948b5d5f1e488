"""Servers as programs: pools, pickles, packages and namesakes, in real worker processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cordyna_core.worker.pool.events import Declared
from worker.running import SERVERS, Session, a_session

POOLS = str(SERVERS / "pools_and_pickles.py")


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with a_session() as found:
        assert isinstance(found.load(POOLS), Declared)
        yield found


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_executor_of_any_method_gives_its_results(session: Session, method: str) -> None:
    attempt = session.do("executor", server="pools", method=method)

    assert attempt.final.get("output") == [0, 1, 4], attempt.final
    assert sorted(attempt.output("stdout").split("\n")) == [
        "", "square of 0", "square of 1", "square of 2",
    ]  # fmt: skip
    # The helpers of multiprocessing end with the attempt.
    assert (attempt.output("stderr"), attempt.outcome) == ("", "reused")


def test_pool_of_spawned_processes_pickles_models(session: Session) -> None:
    attempt = session.do("pool", server="pools", method="spawn")

    assert attempt.final.get("output") == [2, 3], attempt.final


def test_pickle_is_read_by_another_process(session: Session, tmp_path: Path) -> None:
    path = str(tmp_path / "model.pkl")
    assert session.do("dump", server="pools", path=path).final["output"] == "pools_and_pickles"
    session.pool.reload(POOLS)
    session.wait_for(Declared)

    assert session.do("read", server="pools", path=path).final["output"] == 7


def test_namesakes_of_two_servers_never_meet(session: Session, tmp_path: Path) -> None:
    """Two teams have a `helpers.py`, and a `tasks.py` in a package `src/app`."""
    for team in ("a", "b"):
        app = tmp_path / team / "src" / "app"
        app.mkdir(parents=True)
        (app / "__init__.py").write_text("")
        (app / "helpers.py").write_text(f"TEAM = 'team-{team}'\n")
        (app / "tasks.py").write_text(
            "from cordyna_core import TaskServer\nfrom .helpers import TEAM\n"
            "from app import helpers\nserver = TaskServer(TEAM)\n"
            "@server.task\ndef team() -> str: return helpers.TEAM + ' ' + __name__\n"
        )
    session.load(*(str(tmp_path / team / "src/app/tasks.py") for team in ("a", "b")))

    outputs = [session.do("team", server=f"team-{t}").final["output"] for t in ("a", "b")]
    assert outputs == ["team-a app.tasks", "team-b app.tasks"]


OF_PYTHON = "json", "typing", "random", "token", "signal", "email", "calendar", "cordyna_core"


@pytest.mark.parametrize("name", OF_PYTHON)
def test_server_named_as_a_module_of_python_works(
    session: Session, tmp_path: Path, name: str
) -> None:
    """The library needs these modules, some of them only when the first model is built."""
    file = tmp_path / f"{name}.py"
    file.write_text(
        "from cordyna_core import TaskServer\n"
        f"server = TaskServer('as-{name}')\n"
        "@server.task\n"
        "def own(count: int = 3) -> int: return count\n"
    )

    assert isinstance(session.load(str(file), cwd=str(tmp_path)), Declared)
    assert session.do("own", server=f"as-{name}").final.get("output") == 3

"""dyna servers: workers, problems, and removing a server."""

import pytest

from cli.fake_engine import FakeEngine, refused
from cli.run_builders import RUN, completed_run
from cli.run_dyna import dyna
from cli.sample_messages import sealed
from cordyna_cli.engine import Invoked
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import RemoveServer
from cordyna_core.contract.state_updates import DeclarationRejected
from cordyna_core.contract.views.graph import ServerInfo
from cordyna_core.contract.views.runs import PassedEvent
from cordyna_core.errors import Refusal

SALES = ServerInfo(server="sales", state="ready", tasks=2, revision=41)


def test_servers_show_workers_and_how_they_start() -> None:
    busy = SALES.model_copy(
        update={
            "concurrency": 8,
            "running": 8,
            "waiting": 2,
            "mode": "spawn",
            "mode_reason": "the import starts threads",
        }
    )

    lines = dyna("servers", engine=FakeEngine(known_servers=[busy, SALES])).out.splitlines()

    assert lines == [
        "server  state  tasks  revision  last sign of life  workers",
        (
            "sales   ready      2        41  never              "
            "8 of 8 busy, 2 waiting; spawn: the import starts threads"
        ),
        "sales   ready      2        41  never",
    ]


@pytest.mark.parametrize(
    ("state", "words"), [("not_loaded", "failed to load"), ("rejected", "rejected")]
)
def test_server_that_is_not_served_shows_its_problem(state: str, words: str) -> None:
    info = SALES.model_copy(update={"state": state, "problem": "no module\nnamed x"})

    result = dyna("servers", engine=FakeEngine(known_servers=[info]))

    assert words in result.out
    assert (result.status, result.err) == (0, "sales: no module\n  named x\n")


def test_server_with_broken_files_is_shown_with_earlier_code() -> None:
    info = SALES.model_copy(update={"problem": "ValueError: 3\n  next: fix it"})
    engine = FakeEngine(known_servers=[info], views=[completed_run()], answer=Invoked(RUN))

    shown, done = dyna("servers", engine=engine), dyna("do", "task-3", engine=engine)

    assert "ready, earlier code" in shown.out
    assert "sales runs its earlier code; dyna dev loads its files" in shown.err
    assert done.status == 0
    assert (
        "sales runs its earlier code, because its files failed to load: ValueError: 3\n"
        "  next: fix it; dyna dev loads the files when they are saved\n"
    ) in done.err


def test_server_that_is_rejected_now_shows_its_first_problem() -> None:
    """Opening the engine fails; the servers are read without declaring."""
    problems = [
        Problem(code="cycle", message="tasks need each other"),
        Problem(code="cycle", message="others, too"),
    ]
    rejected = DeclarationRejected(server="stock", problems=problems)
    passed = [
        PassedEvent(seq=1, text="DeclarationRejected, unreadable"),
        PassedEvent(seq=2, text=sealed("cordyna.cerebro", rejected, 0)),
        PassedEvent(seq=3, text="another"),
    ]

    class Rejecting(FakeEngine):
        def servers(self) -> list[ServerInfo]:
            if self.options is not None and self.options.declares:
                raise Refusal("the declarations were rejected.", problems)
            return super().servers()

    result = dyna("servers", engine=Rejecting(known_servers=[SALES], passed=passed))

    assert (result.status, result.err) == (0, "stock: tasks need each other\n")
    assert [line.split()[:2] for line in result.out.splitlines()[1:]] == [
        ["sales", "ready"],
        ["stock", "rejected"],
    ]


def test_servers_rm_removes_the_declared_revision() -> None:
    engine = FakeEngine(known_servers=[SALES])

    result = dyna("servers", "rm", "sales", engine=engine)

    assert (result.status, result.out) == (0, "sales is removed, with 2 tasks\n")
    assert engine.commands == [RemoveServer(server="sales", revision=41)]
    assert engine.options is not None
    assert not engine.options.declares


def test_servers_rm_of_unknown_server_suggests_near_names() -> None:
    result = dyna("servers", "rm", "sale", engine=FakeEngine(known_servers=[SALES]))

    assert (result.status, result.err) == (
        3,
        (
            'error: no server "sale" has declared anything.\n'
            "  next: did you mean sales? `dyna servers` lists all\n"
        ),
    )


def test_servers_rm_that_is_refused_exits_with_1() -> None:
    refusal = refused("newer_revision", "sales has declared revision 42 meanwhile")

    result = dyna(
        "servers", "rm", "sales", engine=FakeEngine(known_servers=[SALES], refuses=refusal)
    )

    assert (result.status, result.err.splitlines()[0]) == (
        1,
        "error: sales cannot be removed: sales has declared revision 42 meanwhile",
    )


BESIDE_LISTS = "tasks", "graph", "plan x", "describe x", "consumers x", "cron ls", "cron next"


@pytest.mark.parametrize("words", BESIDE_LISTS)
def test_server_that_failed_to_load_is_told_beside_lists(words: str) -> None:
    missing = ServerInfo(
        server="gone.py",
        state="not_loaded",
        tasks=0,
        revision=0,
        problem="there is no file gone.py\n  next: give the path",
    )
    result = dyna(*words.split(), engine=FakeEngine(known_servers=[missing], declared=[]))
    assert result.err.startswith(
        "gone.py failed to load: there is no file gone.py\n  next: give the path\n"
    )
    assert "no task has a cron" not in result.err


def test_server_that_failed_to_load_shows_where_it_failed() -> None:
    problem = "my.py cannot be loaded: SyntaxError: invalid syntax\n  /my.py:1: def ("
    broken = ServerInfo(server="my.py", state="not_loaded", tasks=0, revision=0, problem=problem)

    result = dyna("tasks", engine=FakeEngine(known_servers=[broken]))

    assert result.err.splitlines()[:3] == [
        "my.py failed to load: my.py cannot be loaded: SyntaxError: invalid syntax",
        "  /my.py:1: def (",
        "  next: fix it, then dyna servers",
    ]

"""dyna plan --declare: what declaring would change."""

import json
from pathlib import Path

import pytest

from cli.fake_engine import FakeEngine
from cli.run_dyna import dyna, without_escapes
from cordyna_cli.render.rehearsal import rehearsal_lines
from cordyna_core.contract.base import Problem
from cordyna_core.contract.views.rehearsal import (
    CronChange,
    DeclarationView,
    Difference,
    EdgeChange,
    RehearsalView,
    TaskChange,
    TouchedTask,
    UnresolvedUpstreamView,
)

SERVER = """
from cordyna_core import TaskServer

server = TaskServer("b")
server.task(name="z", upstream=["y"])(lambda: None)
"""

VIEW = RehearsalView(
    generation=7,
    declarations=[DeclarationView(server="b", outcome="accepted")],
    tasks=[
        TaskChange(task="clean", server="b", change="removed"),
        TaskChange(
            task="load",
            server="b",
            change="changed",
            fields=[
                Difference(
                    what="upstream",
                    before=["clean"],
                    after=["raw", {"task": "rates", "within_s": 60}],
                ),
                Difference(what="retries", before=0, after=2),
            ],
        ),
        TaskChange(task="raw", server="b", change="added"),
    ],
    edges=[
        EdgeChange(change="removed", upstream="clean", task="load"),
        EdgeChange(change="added", upstream="raw", task="load"),
        EdgeChange(change="added", upstream="source", task="raw"),
    ],
    crons=[CronChange(task="raw", server="b", after="0 6 * * *")],
    missing=[UnresolvedUpstreamView(upstream="clean", needed_by=["report"])],
    touched=[
        TouchedTask(
            task="report",
            server="c",
            effect="unresolved",
            owner="team-c",
            cron="0 7 * * *",
            path=["report", "clean"],
        ),
        TouchedTask(task="page", server="c", effect="closure", path=["page", "load"]),
    ],
)
CYCLE = Problem(code="cycle", message="tasks need each other", path=["x", "y", "x"])
REJECTED = RehearsalView(
    generation=7,
    declarations=[DeclarationView(server="b", outcome="rejected", problems=[CYCLE, CYCLE])],
)


@pytest.fixture
def server(tmp_path: Path) -> str:
    file = tmp_path / "b.py"
    file.write_text(SERVER)
    return str(file)


def test_rehearsal_shows_changes_affected_and_crons(
    server: str,
) -> None:
    result = dyna("plan", "--declare", server, engine=FakeEngine(rehearsed=VIEW))

    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines() == [
        "✓ b would be accepted",
        "",
        "   task   server  change",
        "-  clean  b",
        "~  load   b       upstream -clean, +raw and +rates (within 60 s); retries 0 -> 2",
        "+  raw    b       needs source",
        "",
        "clean: not declared by any server, needed by report: invoking through it would be refused",
        "",
        "   affected  server  owner   effect                         through",
        "✗  report    c       team-c  could not be invoked any more  clean    cron 0 7 * * *",
        "~  page      c               other tasks would run for it   load",
        "",
        "   cron of  server  now        then",
        "+  raw      b       never  ->  0 6 * * *",
        "",
        "3 tasks: 1 added, 1 removed, 1 changed; 2 tasks of 1 other server affected",
    ]


def test_rejected_rehearsal_lists_problems_and_exits_with_1(
    server: str,
) -> None:
    result = dyna("plan", "--declare", server, engine=FakeEngine(rehearsed=REJECTED))

    assert result.status == 1
    assert result.out == ""
    assert result.err.splitlines() == [
        "error: b would be rejected, for 2 reasons.",
        "  tasks need each other (x -> y -> x)",
        "  tasks need each other (x -> y -> x)",
        "  next: fix the problems above, then run the same command again",
    ]


def test_rejected_rehearsal_names_a_cycle_once(server: str) -> None:
    """The message has the tasks in their order already."""
    problem = Problem(code="cycle", message="x (b) needs y (b) needs x (b)", path=["x", "y", "x"])
    declarations = [
        DeclarationView(server="a", outcome="accepted"),
        DeclarationView(server="b", outcome="rejected", problems=[problem]),
    ]
    view = RehearsalView(generation=7, declarations=declarations)

    result = dyna("plan", "--declare", server, engine=FakeEngine(rehearsed=view))

    assert result.out == "✓ a would be accepted\n"
    assert result.err.splitlines() == [
        "error: b would be rejected: x (b) needs y (b) needs x (b)",
        "  next: fix the problem above, then run the same command again",
    ]


def test_rehearsal_of_a_file_without_tasks_exits_with_1(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    file.write_text('{"server": "b"}')

    result = dyna("plan", "--declare", str(file), engine=FakeEngine())

    assert (result.status, result.err.splitlines()) == (
        1,
        [
            f"error: {file} declares no tasks.",
            "  the key `tasks` is missing",
            '  next: write `"tasks": []` if the server is to have none',
        ],
    )


def test_rehearsal_of_same_declaration_changes_nothing(server: str) -> None:
    view = RehearsalView(generation=1, declarations=[DeclarationView(server="b", outcome="same")])

    result = dyna("plan", "--declare", server, engine=FakeEngine(rehearsed=view))

    assert result.out.splitlines() == [
        "≡ b is declared like this already: nothing changes",
        "",
        "nothing would change",
    ]


@pytest.mark.parametrize(("view", "status"), [(VIEW, 0), (REJECTED, 1)])
def test_rehearsal_json_is_one_object(server: str, view: RehearsalView, status: int) -> None:
    result = dyna("plan", "--json", "--declare", server, engine=FakeEngine(rehearsed=view))

    assert (result.status, result.err) == (status, "")
    assert RehearsalView.model_validate(result.json) == view


def test_servers_are_rehearsed_in_order_and_not_declared(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"server": "a", "tasks": [{"name": "y"}]}))
    engine = FakeEngine()

    result = dyna("plan", "--declare", "a.json", "--declare", server, engine=engine, cwd=tmp_path)

    assert result.status == 0
    assert [
        (each.server, [task.name for task in each.tasks]) for each in engine.declared_in_rehearsal
    ] == [("a", ["y"]), ("b", ["z"])]
    assert engine.options is not None
    assert not engine.options.declares


@pytest.mark.parametrize(
    ("text", "status", "what"),
    [
        (
            '{"server": "a", "tasks": [{"name": "y", "crom": "* * * * *"}]}',
            1,
            "is not a valid declaration",
        ),
        ("no JSON", 1, "is not a valid declaration"),
        (None, 3, "cannot be read"),
    ],
)
def test_file_that_is_not_a_declaration_is_an_error(
    tmp_path: Path, text: str | None, status: int, what: str
) -> None:
    if text is not None:
        (tmp_path / "a.json").write_text(text)

    result = dyna("plan", "--declare", "a.json", engine=FakeEngine(), cwd=tmp_path)

    assert result.status == status
    assert what in result.err


@pytest.mark.parametrize("words", [(), ("task-3", "--declare", "a.json")])
def test_plan_without_or_with_both_arguments_exits_with_2(words: tuple[str, ...]) -> None:
    result = dyna("plan", *words, engine=FakeEngine())

    assert (result.status, result.err.splitlines()[0]) == (
        2,
        "error: plan takes a task, or --declare.",
    )


def test_long_values_in_a_rehearsal_are_cut(
    server: str,
) -> None:
    fields = [
        Difference(
            what="params_schema", before=None, after={"type": "object", "description": "x" * 100}
        ),
        Difference(what="upstream", before=["a", "b"], after=["b", "a"]),
    ]
    view = RehearsalView(
        generation=1, tasks=[TaskChange(task="t", server="b", change="changed", fields=fields)]
    )

    line = dyna("plan", "--declare", server, engine=FakeEngine(rehearsed=view)).out.splitlines()[1]

    assert "params_schema nothing -> {" in line
    assert line.endswith("...; upstream in another order")


def test_rehearsal_fits_a_narrow_terminal(server: str) -> None:
    result = dyna(
        "plan", "--declare", server, engine=FakeEngine(rehearsed=VIEW), terminal=True, width=60
    )

    tables = [
        line
        for line in without_escapes(result.out).splitlines()
        if line.startswith(("+", "-", "~"))
    ]
    assert max(map(len, tables)) <= 60


def test_sentences_of_a_rehearsal_break_between_words() -> None:
    needed = [f"task-{number}" for number in range(9)]
    view = RehearsalView(
        generation=1, missing=[UnresolvedUpstreamView(upstream="orders", needed_by=needed)]
    )

    lines = [line.plain for line in rehearsal_lines(view, 40)]

    assert max(map(len, lines)) <= 40
    assert " ".join(" ".join(lines).split()) == " ".join(
        " ".join(line.plain for line in rehearsal_lines(view)).split()
    )

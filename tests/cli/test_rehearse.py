"""dyna plan --declare: what declaring would change."""

import json
from pathlib import Path

import pytest

from cli.fake_engine import FakeEngine
from cli.running import dyna, seen
from cordyna_core.contract.base import Problem
from cordyna_core.contract.views.rehearsal import (
    CronChange,
    DeclarationView,
    Difference,
    EdgeChange,
    MissingUpstream,
    RehearsalView,
    TaskChange,
    TouchedTask,
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
    missing=[MissingUpstream(upstream="clean", needed_by=["report"])],
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


def test_what_would_change_is_told_with_whom_it_touches_and_what_runs_by_itself(
    server: str,
) -> None:
    told = dyna("plan", "--declare", server, engine=FakeEngine(rehearsed=VIEW))

    assert (told.status, told.err) == (0, "")
    assert told.out.splitlines() == [
        "✓ b would be accepted",
        "",
        "   task   server  change",
        "-  clean  b",
        "~  load   b       upstream -clean, +raw and +rates (within 60 s); retries 0 -> 2",
        "+  raw    b       needs source",
        "",
        "clean: declared by nobody, needed by report: invoking through it would be refused",
        "",
        "   touched  server  owner   effect                         by way of",
        "✗  report   c       team-c  could not be invoked any more  clean      cron 0 7 * * *",
        "~  page     c               other tasks would run for it   load",
        "",
        "   runs by itself  server  until now      then",
        "+  raw             b       never      ->  0 6 * * *",
        "",
        "3 tasks: 1 added, 1 removed, 1 changed; 2 tasks of 1 other server touched",
    ]


def test_a_declaration_that_would_be_rejected_exits_with_1_and_tells_every_problem(
    server: str,
) -> None:
    told = dyna("plan", "--declare", server, engine=FakeEngine(rehearsed=REJECTED))

    assert told.status == 1
    assert told.out.splitlines()[0] == "✗ b would be rejected"
    assert told.err.splitlines() == [
        "error: b would be rejected, for 2 reasons.",
        "  tasks need each other (x -> y -> x)",
        "  tasks need each other (x -> y -> x)",
        "  next: mend what is listed, then the same again",
    ]


def test_what_is_declared_just_so_changes_nothing(server: str) -> None:
    view = RehearsalView(generation=1, declarations=[DeclarationView(server="b", outcome="same")])

    told = dyna("plan", "--declare", server, engine=FakeEngine(rehearsed=view))

    assert told.out.splitlines() == [
        "≡ b is declared just so: only a sign of life",
        "",
        "nothing would change",
    ]


@pytest.mark.parametrize(("view", "status"), [(VIEW, 0), (REJECTED, 1)])
def test_a_rehearsal_is_one_json_object_too(server: str, view: RehearsalView, status: int) -> None:
    told = dyna("plan", "--json", "--declare", server, engine=FakeEngine(rehearsed=view))

    assert (told.status, told.err) == (status, "")
    assert RehearsalView.model_validate(told.json) == view


def test_the_servers_are_rehearsed_in_the_order_in_which_they_are_named_and_the_engine_declares_nothing(
    server: str, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"server": "a", "tasks": [{"name": "y"}]}))
    engine = FakeEngine()

    told = dyna("plan", "--declare", "a.json", "--declare", server, engine=engine, cwd=tmp_path)

    assert told.status == 0
    assert [
        (each.server, [task.name for task in each.tasks]) for each in engine.declared_in_rehearsal
    ] == [("a", ["y"]), ("b", ["z"])]
    assert engine.options is not None
    assert not engine.options.declares


@pytest.mark.parametrize(
    ("text", "status", "what"),
    [
        ('{"server": "a", "tasks": [{"name": "y", "crom": "* * * * *"}]}', 1, "is no declaration"),
        ("no JSON", 1, "is no declaration"),
        (None, 3, "cannot be read"),
    ],
)
def test_a_file_that_is_no_declaration_is_told(
    tmp_path: Path, text: str | None, status: int, what: str
) -> None:
    if text is not None:
        (tmp_path / "a.json").write_text(text)

    told = dyna("plan", "--declare", "a.json", engine=FakeEngine(), cwd=tmp_path)

    assert told.status == status
    assert what in told.err


@pytest.mark.parametrize("words", [(), ("task-3", "--declare", "a.json")])
def test_plan_takes_a_task_or_what_to_declare(words: tuple[str, ...]) -> None:
    told = dyna("plan", *words, engine=FakeEngine())

    assert (told.status, told.err.splitlines()[0]) == (2, "error: plan takes a task, or --declare.")


def test_a_long_value_that_changes_is_cut_and_one_that_is_not_there_is_said_to_be_nothing(
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


def test_on_a_narrow_terminal_a_rehearsal_is_cut_to_it(server: str) -> None:
    told = dyna(
        "plan", "--declare", server, engine=FakeEngine(rehearsed=VIEW), terminal=True, width=60
    )

    tables = [line for line in seen(told.out).splitlines() if line.startswith(("+", "-", "~"))]
    assert max(map(len, tables)) <= 60

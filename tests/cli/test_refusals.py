"""Refused invocations: what is refused before it is sent, and what cerebro refuses."""

import pytest

from cli.fake_engine import FakeEngine, refused
from cli.run_builders import RUN, completed_run, failed_run
from cli.run_dyna import dyna
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.views.graph import TaskInfo


def test_refusal_exits_with_1_and_lists_its_reasons() -> None:
    answer = refused(
        "unresolved_upstream", 'its upstream "report" is not declared.', ["task-3", "report"]
    )

    result = dyna("do", "task-3", engine=FakeEngine(answer=answer))

    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines() == [
        'error: task "task-3" cannot be invoked: its upstream "report" is not declared.',
        "  task-3 -> report",
        "  next: declare it on a server, then run the same command again",
    ]


@pytest.mark.parametrize(
    ("code", "path", "following"),
    [
        (
            "unknown_param",
            None,
            "`dyna tasks --json` shows what each task takes (params_schema)",
        ),
        ("missing_param", ["task-1"], "dyna describe task-1"),
        ("bad_param", ["task-1"], "dyna describe task-1"),
        ("bad_param", None, "dyna describe task-3"),
        ("plain_secret", None, "dyna describe task-3"),
    ],
)
def test_refused_param_names_the_schema(code: str, path: list[str] | None, following: str) -> None:
    answer = refused(code, "day does not suit", path)

    result = dyna("do", "task-3", engine=FakeEngine(answer=answer))

    assert result.err.splitlines()[1:] == [f"  next: {following}"]


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("x=1", "-p 'x=\"1\"'"),
        ("x=[true]", "-p 'x=\"[true]\"'"),
        ("x=null", "-p 'x=\"null\"'"),
    ],
)
def test_json_where_text_was_meant_shows_how_to_quote(typed: str, hint: str) -> None:
    answer = refused(
        "bad_param", "parameter x does not suit task-1 (a): 1 is not of type 'string'", ["task-1"]
    )

    result = dyna("do", "task-3", "-p", typed, engine=FakeEngine(answer=answer))

    assert result.err.splitlines()[1:] == [
        f"  {typed} was read as JSON, because it is JSON; if text is meant: {hint}",
        "  next: dyna describe task-1",
    ]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("x=1.5", "parameter x does not suit task-1 (a): 1.5 is not of type 'integer'"),
        ("x=one", "parameter x does not suit task-1 (a): 'one' is not one of ['a', 'b']"),
        ('x="1"', "parameter x does not suit task-1 (a): '1' is not one of ['a', 'b']"),
        ("x=[1]", "parameter x[0] does not suit task-1 (a): 1 is not of type 'string'"),
        ("y=1", "parameter x does not suit task-1 (a): 2 is not of type 'string'"),
    ],
)
def test_refused_text_param_has_no_hint_about_json(typed: str, message: str) -> None:
    result = dyna(
        "do",
        "task-3",
        "-p",
        typed,
        engine=FakeEngine(answer=refused("bad_param", message, ["task-1"])),
    )

    assert "JSON, because" not in result.err


@pytest.mark.parametrize("typed", ["x=False", "x=yes", "x=1"])
def test_refused_truth_value_shows_how_to_write_one(typed: str) -> None:
    answer = refused(
        "bad_param", "parameter x does not suit task-1 (a): 1 is not of type 'boolean'", ["task-1"]
    )

    result = dyna("do", "task-3", "-p", typed, "-p", "y=1", engine=FakeEngine(answer=answer))

    assert result.err.splitlines()[1:] == [
        "  x is true or false: -p x=true",
        "  next: dyna describe task-1",
    ]


def test_reason_does_not_repeat_the_headline() -> None:
    one = refused(
        "unresolved_upstream",
        'task "task-3" cannot be invoked: upstream "x" is not declared',
        ["task-3", "x"],
    )
    two = refused(
        "unresolved_upstream", 'task "task-3" cannot be invoked: upstream "y" is not declared'
    )

    alone = dyna("do", "task-3", engine=FakeEngine(answer=one))
    both = dyna(
        "do", "task-3", engine=FakeEngine(answer=type(one)("task-3", one.problems + two.problems))
    )

    assert (
        alone.err.splitlines()[0]
        == 'error: task "task-3" cannot be invoked: upstream "x" is not declared'
    )
    assert both.err.splitlines()[:3] == [
        'error: task "task-3" cannot be invoked, for 2 reasons.',
        '  upstream "x" is not declared (task-3 -> x)',
        '  upstream "y" is not declared',
    ]


@pytest.mark.parametrize(
    ("code", "first"),
    [
        ("unknown_task", 'error: task "task-3" cannot be invoked: no server declares it.'),
        ("unresolved_upstream", 'error: task "task-3" cannot be invoked: x is not declared'),
    ],
)
def test_driver_problem_is_context_not_a_reason(code: str, first: str) -> None:
    one, beside = (
        refused(code, "x is not declared"),
        refused("driven_by_another", "process 7 drives this home"),
    )
    answer = type(one)("task-3", one.problems + beside.problems)

    result = dyna("do", "task-3", engine=FakeEngine(answer=answer))

    assert result.err.splitlines()[:2] == [first, "  process 7 drives this home"]


def test_refusal_with_several_reasons_lists_them() -> None:
    one, two = refused("a", "first is wrong", ["x", "y"]), refused("b", "second is wrong")
    answer = type(one)("task-3", one.problems + two.problems)

    result = dyna("do", "task-3", engine=FakeEngine(answer=answer))

    assert result.err.splitlines()[:3] == [
        'error: task "task-3" cannot be invoked, for 2 reasons.',
        "  first is wrong (x -> y)",
        "  second is wrong",
    ]


def test_unknown_task_is_no_reason_beside_a_failed_load() -> None:
    lost, unknown = refused("not_loaded", "a.py failed to load: x"), refused("unknown_task", "no")
    answer = type(lost)("task-3", lost.problems + unknown.problems)

    result = dyna("do", "task-3", engine=FakeEngine(answer=answer))

    assert result.status == 1
    assert result.err.splitlines() == [
        'error: task "task-3" cannot be invoked: a.py failed to load: x',
        "  next: correct what is shown above, then run the same command again",
    ]


def test_failed_load_has_one_next_step_and_several_their_own() -> None:
    lost = refused("not_loaded", "a.py failed to load: x\n  a.py:1\n  next: remove it")
    other = refused("not_loaded", "b.py failed to load: y\n  next: rename it")

    alone = dyna("do", "task-3", engine=FakeEngine(answer=lost))
    both = type(lost)("task-3", lost.problems + other.problems)

    assert alone.err.splitlines() == [
        'error: task "task-3" cannot be invoked: a.py failed to load: x',
        "  a.py:1",
        "  next: remove it; then run the same command again",
    ]
    assert dyna("do", "task-3", engine=FakeEngine(answer=both)).err.splitlines()[1:] == [
        "  a.py failed to load: x",
        "    a.py:1",
        "    next: remove it",
        "  b.py failed to load: y",
        "    next: rename it",
        "  next: correct what is shown above, then run the same command again",
    ]


def test_unknown_task_exits_with_3_and_suggests_near_names() -> None:
    engine = FakeEngine(
        answer=refused("unknown_task", "unknown"),
        declared=[TaskInfo(task="task-3", server="b", upstream=[])],
    )

    result = dyna("do", "Task_3", engine=engine)

    assert result.status == 3
    assert (
        result.err == 'error: task "Task_3" cannot be invoked: no server declares it.\n'
        "  next: did you mean task-3? `dyna tasks` lists all\n"
    )


def test_unknown_task_without_servers_suggests_naming_one() -> None:
    result = dyna("do", "task-3", engine=FakeEngine(answer=refused("unknown_task", "unknown")))

    assert "nothing is declared: name a server" in result.err


def test_unknown_task_without_near_names_suggests_the_list() -> None:
    engine = FakeEngine(
        answer=refused("unknown_task", "unknown"),
        declared=[TaskInfo(task="task-3", server="b", upstream=[])],
    )

    assert dyna("do", "zzz", engine=engine).err.endswith("  next: `dyna tasks` lists all\n")


def test_invalid_task_name_is_refused_before_it_is_sent() -> None:
    engine = FakeEngine()

    result = dyna("do", "no spaces", engine=engine)

    assert result.status == 1
    assert 'task "no spaces" cannot be invoked' in result.err
    assert engine.commands == []


@pytest.mark.parametrize("words", [("do", "ünïcode"), ("retry", RUN, "--from", "x" * 129)])
def test_name_rule_is_shown_in_words(words: tuple[str, ...]) -> None:
    result = dyna(*words, engine=FakeEngine(views=[failed_run()]))

    assert result.status == 1
    assert result.err.splitlines()[1].endswith(
        "a name has 1 to 128 characters, which are letters (A to Z, a to z), digits, dots, "
        "underscores and hyphens, and begins with a letter or a digit"
    )
    assert "[A-Za-z" not in result.err


@pytest.mark.parametrize(
    "words",
    [
        ("task-3", "-p", "x=\udcff"),
        ("task-3", "-p", 'x="\\ud800"'),
        ("task-3", "-p", 'x={"a": ["\\udfff"]}'),
        ("task-3", "-p", "\udcff=1"),
        ("task-3", "--key", "\udcff"),
        ("\udcff",),
    ],
)
def test_half_a_surrogate_pair_exits_with_2(words: tuple[str, ...]) -> None:
    engine = FakeEngine()

    result = dyna("do", *words, engine=engine)

    what, why, then = result.err.splitlines()
    assert (result.status, engine.commands, what.endswith(" is not text.")) == (2, [], True)
    assert (
        why
        == "  it holds a byte that is not UTF-8, or half of a surrogate pair (\\ud800 to \\udfff); "
        "no event can carry that."
    )
    assert then.startswith("  next: write it in UTF-8")


def test_whole_surrogate_pair_is_text() -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna("do", "task-3", "-p", 'x="\\ud83d\\ude00"', engine=engine)

    assert engine.commands == [InvokeTask(task="task-3", params={"x": "😀"})]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-p", "day"), "-p day is not a parameter."),
        (("-p", "=3"), "-p =3 is not a parameter."),
        (("-p", "day=1", "-p", "day=2"), "-p day=... is given twice."),
        (("--wait", "soon"), "'soon' is not a duration."),
        (("--max-age", "-1"), "'-1' is not a duration."),
    ],
)
def test_unreadable_argument_exits_with_2(words: tuple[str, ...], why: str) -> None:
    result = dyna("do", "task-3", *words, engine=FakeEngine())

    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"error: {why}\n  next: ")


def test_unresolved_upstream_suggests_the_near_task() -> None:
    message = 'upstream "reports" is declared by no server'
    engine = FakeEngine(
        answer=refused("unresolved_upstream", message, ["task-3", "reports"]),
        declared=[TaskInfo(task="report", server="a", upstream=[])],
    )

    result = dyna("do", "task-3", engine=engine)

    assert "  did you mean report instead of reports?" in result.err.splitlines()

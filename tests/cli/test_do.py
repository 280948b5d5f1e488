"""dyna do, watch: invoke, follow, and say what came of it."""

import pytest

from cli.fake_engine import RUN, FakeEngine, a_run, a_task, completed_run, failed_run, refused
from cli.running import dyna, seen
from cordyna_cli.engine import Invoked
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.views.graph import TaskInfo


def running() -> FakeEngine:
    return FakeEngine(
        views=[a_run(a_task("task-1", "", "dispatched@0 started@1"), a_task("task-3", "task-1"))]
    )


def test_a_completed_run_exits_with_0_and_its_result_is_on_stdout() -> None:
    told = dyna("do", "task-3", engine=FakeEngine(views=[completed_run()]))

    assert told.status == 0
    assert told.out.splitlines()[-2:] == [
        f"✓ task-3 completed in 5.0 s  run {RUN}",
        '  {"rows": 6}',
    ]


def test_a_run_that_ends_in_error_exits_with_1_and_says_what_to_type() -> None:
    told = dyna("do", "report", engine=FakeEngine(views=[failed_run()]))

    assert told.status == 1
    assert "clean on server-a: failed, attempt 2; ValueError: bad row 7" in told.out
    assert "blocked by that: load and report" in told.out
    assert f"next: dyna logs {RUN} clean" in told.out


def test_parameters_are_json_where_they_can_be_read_as_json() -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna(
        "do",
        "task-3",
        "-p",
        "limit=3",
        "-p",
        "day=monday",
        "-p",
        'who={"a": [1]}',
        "-p",
        "x=NaN",
        "-p",
        "empty=",
        "-p",
        "eq=a=b",
        engine=engine,
    )

    assert engine.commands == [
        InvokeTask(
            task="task-3",
            params={
                "limit": 3,
                "day": "monday",
                "who": {"a": [1]},
                "x": "NaN",
                "empty": "",
                "eq": "a=b",
            },
        )
    ]


def test_key_and_age_go_with_the_command() -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna("do", "task-3", "--key", "today", "--max-age", "6h", engine=engine)

    assert engine.commands == [InvokeTask(task="task-3", key="today", max_age_s=21600)]


@pytest.mark.parametrize(
    ("options", "joins"),
    [((), True), (("--new",), False), (("--key", "k"), False)],
)
def test_an_interrupted_run_is_joined_unless_another_one_is_wanted(
    options: tuple[str, ...], *, joins: bool
) -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna("do", "task-3", *options, engine=engine)

    assert engine.joined_with is joins


def test_on_aws_nothing_is_joined_because_a_run_goes_on_by_itself() -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna("--bus", "cordyna", "do", "task-3", engine=engine)

    assert engine.joined_with is False


def test_taking_up_an_interrupted_run_is_said() -> None:
    told = dyna(
        "do", "task-3", engine=FakeEngine(views=[completed_run()], answer=Invoked(RUN, joined=True))
    )

    assert told.err.startswith(f"taking up the interrupted run {RUN} (--new starts another)\n")


def test_detached_only_the_run_is_printed() -> None:
    told = dyna("do", "task-3", "--detach", engine=running())

    assert (told.status, told.out, told.err) == (0, f"{RUN}\n", f"  next: dyna watch {RUN}\n")


def test_detached_with_json_the_run_is_one_object() -> None:
    assert dyna("do", "task-3", "--detach", "--json", engine=running()).json["state"] == "running"


def test_without_a_terminal_each_change_is_a_line_on_stderr() -> None:
    first = a_run(a_task("task-1", "", "dispatched@0"), a_task("task-3", "task-1"))
    then = a_run(
        a_task(
            "task-1", "", "dispatched@0 started@0.5 retry_wait@1 dispatched/2@3 error:failed/2@4"
        ),
        a_task("task-3", "task-1"),
        state="error",
    )

    told = dyna("do", "task-3", engine=FakeEngine(views=[first, then]))

    assert told.err.splitlines() == [
        f"run {RUN}: task-3, 2 tasks on 1 server",
        "03:04:05.000 task-1 on server-a: pending dispatched",
        "03:04:05.500 task-1 on server-a: started",
        "03:04:06.000 task-1 on server-a: pending retry_wait",
        "03:04:08.000 task-1 on server-a: pending dispatched (attempt 2)",
        "03:04:09.000 task-1 on server-a: error failed (attempt 2): ValueError: bad row 7",
    ]


def test_on_a_terminal_a_tree_moves_on_stderr_and_the_result_is_on_stdout() -> None:
    told = dyna(
        "do", "task-3", engine=FakeEngine(views=[*running().views, completed_run()]), terminal=True
    )

    assert "task-3 running" in seen(told.err)
    assert "└─" in seen(told.err)
    assert "task-3 completed in 5.0 s" in seen(told.out)


def test_waiting_long_enough_exits_with_124_and_tells_how_to_take_it_up() -> None:
    engine = running()

    told = dyna("do", "task-3", "--wait", "30m", engine=engine)

    assert (told.status, engine.waited) == (124, 1800)
    assert told.err.endswith(
        f"gave up waiting after 30 m 00 s: run {RUN} is kept as it is, and can be taken up.\n  next: dyna do task-3 --wait 30m\n"
    )


def test_the_first_ctrl_c_stops_waiting_and_tells_how_to_take_it_up() -> None:
    engine = FakeEngine(views=running().views, interrupt=True)

    told = dyna("--server", "my.py", "do", "task-3", "--new", "-p", "day=new year", engine=engine)

    assert told.status == 130
    assert told.out == ""
    assert told.err.endswith(
        f"interrupted: run {RUN} is kept as it is, and can be taken up.\n  next: dyna --server my.py do task-3 -p 'day=new year'\n"
    )
    assert engine.closed


def test_a_run_on_aws_goes_on_without_who_watches_it() -> None:
    told = dyna(
        "--profile", "p", "do", "task-3", engine=FakeEngine(views=running().views, interrupt=True)
    )

    assert told.err.endswith(
        f"interrupted: run {RUN} goes on without you.\n  next: dyna watch {RUN}\n"
    )


@pytest.mark.parametrize(
    ("engine", "status"),
    [(running(), 124), (FakeEngine(views=running().views, interrupt=True), 130)],
)
def test_json_is_printed_also_when_nobody_waited_for_the_end(
    engine: FakeEngine, status: int
) -> None:
    told = dyna("do", "task-3", "--json", "--wait", "5", engine=engine)

    assert (told.status, told.json["state"]) == (status, "running")


def test_a_refusal_exits_with_1_and_says_every_reason() -> None:
    answer = refused(
        "unresolved_upstream", 'its upstream "report" is declared by nobody.', ["task-3", "report"]
    )

    told = dyna("do", "task-3", engine=FakeEngine(answer=answer))

    assert (told.status, told.out) == (1, "")
    assert told.err.splitlines() == [
        'error: task "task-3" cannot be invoked: its upstream "report" is declared by nobody.',
        "  task-3 -> report",
        "  next: declare it on a server, then the same again",
    ]


@pytest.mark.parametrize("code", ["unknown_param", "missing_param", "bad_param"])
def test_a_refused_parameter_suggests_to_look_at_the_schema(code: str) -> None:
    told = dyna(
        "do", "task-3", engine=FakeEngine(answer=refused(code, "day does not suit", ["task-1"]))
    )

    assert told.err.splitlines()[1:] == [
        "  next: `dyna tasks --json` shows what each task takes (params_schema)"
    ]


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("x=1", "-p 'x=\"1\"'"),
        ("x=[true]", "-p 'x=\"[true]\"'"),
        ("x=null", "-p 'x=\"null\"'"),
    ],
)
def test_json_where_text_was_wanted_is_refused_with_how_to_quote_it(typed: str, hint: str) -> None:
    answer = refused(
        "bad_param", "parameter x does not suit task-1 (a): 1 is not of type 'string'", ["task-1"]
    )

    told = dyna("do", "task-3", "-p", typed, engine=FakeEngine(answer=answer))

    assert told.err.splitlines()[1:] == [
        f"  {typed} was read as JSON, because it is JSON; if text is meant: {hint}",
        "  next: `dyna tasks --json` shows what each task takes (params_schema)",
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
def test_who_did_not_write_json_for_text_is_told_nothing_about_it(typed: str, message: str) -> None:
    told = dyna(
        "do",
        "task-3",
        "-p",
        typed,
        engine=FakeEngine(answer=refused("bad_param", message, ["task-1"])),
    )

    assert "JSON, because" not in told.err


def test_what_a_reason_says_of_its_own_is_not_said_twice() -> None:
    one = refused(
        "unresolved_upstream",
        'task "task-3" cannot be invoked: upstream "x" is declared by nobody',
        ["task-3", "x"],
    )
    two = refused(
        "unresolved_upstream", 'task "task-3" cannot be invoked: upstream "y" is declared by nobody'
    )

    alone = dyna("do", "task-3", engine=FakeEngine(answer=one))
    both = dyna(
        "do", "task-3", engine=FakeEngine(answer=type(one)("task-3", one.problems + two.problems))
    )

    assert (
        alone.err.splitlines()[0]
        == 'error: task "task-3" cannot be invoked: upstream "x" is declared by nobody'
    )
    assert both.err.splitlines()[:3] == [
        'error: task "task-3" cannot be invoked, for 2 reasons.',
        '  upstream "x" is declared by nobody (task-3 -> x)',
        '  upstream "y" is declared by nobody',
    ]


@pytest.mark.parametrize(
    ("code", "first"),
    [
        ("unknown_task", 'error: task "task-3" cannot be invoked: no server declares it.'),
        ("unresolved_upstream", 'error: task "task-3" cannot be invoked: x is declared by nobody'),
    ],
)
def test_that_another_process_drives_is_told_but_is_no_reason(code: str, first: str) -> None:
    one, beside = (
        refused(code, "x is declared by nobody"),
        refused("driven_by_another", "process 7 drives this home"),
    )
    answer = type(one)("task-3", one.problems + beside.problems)

    told = dyna("do", "task-3", engine=FakeEngine(answer=answer))

    assert told.err.splitlines()[:2] == [first, "  process 7 drives this home"]


def test_several_reasons_are_listed() -> None:
    one, two = refused("a", "first is wrong", ["x", "y"]), refused("b", "second is wrong")
    answer = type(one)("task-3", one.problems + two.problems)

    told = dyna("do", "task-3", engine=FakeEngine(answer=answer))

    assert told.err.splitlines()[:3] == [
        'error: task "task-3" cannot be invoked, for 2 reasons.',
        "  first is wrong (x -> y)",
        "  second is wrong",
    ]


def test_an_unknown_task_exits_with_3_and_near_names_are_suggested() -> None:
    engine = FakeEngine(
        answer=refused("unknown_task", "nobody"),
        declared=[TaskInfo(task="task-3", server="b", upstream=[])],
    )

    told = dyna("do", "Task_3", engine=engine)

    assert told.status == 3
    assert (
        told.err
        == 'error: task "Task_3" cannot be invoked: no server declares it.\n  next: did you mean task-3? `dyna tasks` lists all\n'
    )


def test_with_no_server_at_all_an_unknown_task_suggests_to_name_one() -> None:
    told = dyna("do", "task-3", engine=FakeEngine(answer=refused("unknown_task", "nobody")))

    assert "no server is known: name one" in told.err


def test_a_name_like_no_other_suggests_the_list() -> None:
    engine = FakeEngine(
        answer=refused("unknown_task", "nobody"),
        declared=[TaskInfo(task="task-3", server="b", upstream=[])],
    )

    assert dyna("do", "zzz", engine=engine).err.endswith("  next: `dyna tasks` lists all\n")


def test_a_name_that_no_task_can_have_is_refused_before_it_is_sent() -> None:
    engine = FakeEngine()

    told = dyna("do", "no spaces", engine=engine)

    assert told.status == 1
    assert 'task "no spaces" cannot be invoked' in told.err
    assert engine.commands == []


@pytest.mark.parametrize("words", [("do", "ünïcode"), ("retry", RUN, "--from", "x" * 129)])
def test_what_a_name_may_be_is_told_in_words(words: tuple[str, ...]) -> None:
    told = dyna(*words, engine=FakeEngine(views=[failed_run()]))

    assert told.status == 1
    assert told.err.splitlines()[1].endswith(
        "a name has 1 to 128 characters, which are letters (A to Z, a to z), digits, dots, underscores and hyphens, "
        "and begins with a letter or a digit"
    )
    assert "[A-Za-z" not in told.err


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
def test_half_a_surrogate_pair_is_no_text_and_exits_with_2(words: tuple[str, ...]) -> None:
    engine = FakeEngine()

    told = dyna("do", *words, engine=engine)

    what, why, then = told.err.splitlines()
    assert (told.status, engine.commands, what.endswith(" is no text.")) == (2, [], True)
    assert (
        why
        == "  it holds a byte that is not UTF-8, or half of a surrogate pair (\\ud800 to \\udfff); no event can carry that."
    )
    assert then.startswith("  next: write it in UTF-8")


def test_a_whole_surrogate_pair_is_text() -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna("do", "task-3", "-p", 'x="\\ud83d\\ude00"', engine=engine)

    assert engine.commands == [InvokeTask(task="task-3", params={"x": "😀"})]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-p", "day"), "-p day is no parameter."),
        (("-p", "=3"), "-p =3 is no parameter."),
        (("-p", "day=1", "-p", "day=2"), "-p day=... is given twice."),
        (("--wait", "soon"), "'soon' is not a duration."),
        (("--max-age", "-1"), "'-1' is not a duration."),
    ],
)
def test_what_cannot_be_read_exits_with_2(words: tuple[str, ...], why: str) -> None:
    told = dyna("do", "task-3", *words, engine=FakeEngine())

    assert (told.status, told.out) == (2, "")
    assert told.err.startswith(f"error: {why}\n  next: ")


def test_watch_follows_the_last_run_and_exits_as_do_does() -> None:
    assert dyna("watch", engine=FakeEngine(views=[failed_run()])).status == 1
    assert (
        dyna("watch", RUN[:6].lower(), "--json", engine=FakeEngine(views=[completed_run()])).json[
            "state"
        ]
        == "completed"
    )

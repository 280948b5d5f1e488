"""dyna runs, tasks, servers, plan, graph, cron: what there is."""

import json

import pytest

from cli.fake_engine import FakeEngine
from cli.run_builders import RUN, T0, at
from cli.run_dyna import dyna, without_escapes
from cordyna_core.contract.base import Problem
from cordyna_core.contract.views.graph import PlannedTaskView, PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.runs import RunSummary

TASKS = [
    TaskInfo(
        task="task-1",
        server="a",
        upstream=[],
        cron="* * * * *",
        next_at=at(55),
        owner="team-a",
        description="Counts\nrows.",
    ),
    TaskInfo(
        task="task-2",
        server="a",
        upstream=["task-1"],
        cron="0 6 * * *",
        timezone="Europe/Berlin",
        next_at=at(30),
    ),
    TaskInfo(
        task="task-3", server="b", upstream=["task-1", "task-2", "report"], unresolved=["report"]
    ),
    TaskInfo(task="task-4", server="b", upstream=["task-2"], cron="0 0 1 1 *"),
]
SERVERS = [
    ServerInfo(server="a", state="ready", tasks=2, revision=7, last_seen_at=at(8)),
    ServerInfo(server="b", state="unknown", tasks=1, revision=0),
]
RUNS = [
    RunSummary(run_id=RUN, task="task-3", state="completed", created_at=T0),
    RunSummary(run_id="0" * 26, task="t", state="failing", created_at=at(-90_000)),
]
ENGINE = FakeEngine(declared=TASKS, known_servers=SERVERS, summaries=RUNS)


def test_runs_lists_the_newest_first() -> None:
    assert dyna("runs", engine=ENGINE).out.splitlines() == [
        "run                         task    state        created",
        f"{RUN}  task-3  ✓ completed  03:04:05Z             10.0 s ago",
        "00000000000000000000000000  t       ✗ failing    2026-01-01 02:04:05Z  1 d 01 h ago",
    ]


def test_runs_limit_is_kept() -> None:
    assert len(dyna("runs", "-n", "1", engine=ENGINE).out.splitlines()) == 2


def test_tasks_show_upstreams_and_mark_undeclared_ones() -> None:
    assert dyna("tasks", engine=ENGINE).out.splitlines() == [
        (
            "task    server  upstream                                        "
            "cron                     owner   description"
        ),
        (
            "task-1  a                                                       "
            "* * * * *                team-a  Counts rows."
        ),
        "task-2  a       task-1                                          0 6 * * * Europe/Berlin",
        "task-3  b       task-1, task-2, report  (report: not declared)",
        "task-4  b       task-2                                          0 0 1 1 *",
    ]


def test_task_with_hundreds_of_upstreams_widens_no_other_row() -> None:
    many = [f"part-{n}" for n in range(300)]
    tasks = [*TASKS, TaskInfo(task="all", server="b", upstream=many, owner="team-b")]
    engine = FakeEngine(declared=tasks, known_servers=SERVERS)

    piped = dyna("tasks", engine=engine).out.splitlines()
    shown = without_escapes(dyna("tasks", engine=engine, terminal=True, width=80).out)

    assert max(map(len, piped[:-1])) < 200
    assert all(name in piped[-1] for name in many)
    assert "part-19 and 280 more" in " ".join(shown.split())
    assert "part-20" not in shown


def test_servers_show_their_last_sign_of_life() -> None:
    assert dyna("servers", engine=ENGINE).out.splitlines() == [
        "server  state    tasks  revision  last sign of life",
        "a       ready        2         7  2.0 s ago",
        "b       unknown      1         0  never",
    ]


@pytest.mark.parametrize(("command", "count"), [("runs", 2), ("tasks", 4), ("servers", 2)])
def test_each_list_as_json_is_an_array(command: str, count: int) -> None:
    assert len(dyna(command, "--json", engine=ENGINE).json) == count


@pytest.mark.parametrize(
    ("words", "err"),
    [
        (("runs",), "there is no run yet (in memory)\n  next: dyna do TASK\n"),
        (
            ("tasks",),
            (
                "no task server has declared anything\n"
                "  next: `dyna init` makes a project; `dyna --server my.py tasks` names a server\n"
            ),
        ),
        (
            ("graph",),
            (
                "no task server has declared anything\n"
                "  next: `dyna init` makes a project; `dyna --server my.py tasks` names a server\n"
            ),
        ),
        (
            ("servers",),
            (
                "no task server has declared anything\n"
                "  next: `dyna init` makes a project; `dyna --server my.py tasks` names a server\n"
            ),
        ),
        (("cron", "ls"), 'no task has a cron\n  next: declare one with cron="0 6 * * 1-5"\n'),
    ],
)
def test_empty_list_says_what_to_do(words: tuple[str, ...], err: str) -> None:
    result = dyna(*words, engine=FakeEngine())

    assert (result.status, result.out, result.err) == (0, "", err)


def test_plan_is_in_order_with_levels() -> None:
    planned = PlanView(
        task="task-2",
        tasks=[
            PlannedTaskView(task="task-1", server="a", upstream=[], level=0),
            PlannedTaskView(task="task-2", server="b", upstream=["task-1"], level=1),
        ],
    )

    result = dyna("plan", "task-2", engine=FakeEngine(planned=planned))

    assert result.status == 0
    assert result.out.splitlines() == [
        "level  task    server  upstream",
        "    0  task-1  a",
        "    1  task-2  b       task-1",
        "",
        "2 tasks on 2 servers; at least 2 steps one after another",
    ]


@pytest.mark.parametrize(("code", "status"), [("unresolved_upstream", 1), ("unknown_task", 3)])
def test_refused_plan_exits_as_do_would(code: str, status: int) -> None:
    planned = PlanView(
        task="task-3", problems=[Problem(code=code, message="report is not declared")]
    )

    result = dyna("plan", "task-3", engine=FakeEngine(planned=planned, declared=TASKS))

    assert (result.status, result.out) == (status, "")
    assert result.err.startswith('error: task "task-3" cannot be invoked: ')


def test_graph_is_a_tree_for_each_sink() -> None:
    assert dyna("graph", engine=ENGINE).out.splitlines() == [
        "task-3     b",
        "├─ task-1  a             cron * * * * *",
        "├─ task-2  a             cron 0 6 * * * Europe/Berlin",
        "│  └─ task-1 (see above)",
        "└─ report  not declared",
        "task-4     b             cron 0 0 1 1 *",
        "└─ task-2 (see above)",
    ]


def test_graph_of_one_task_is_its_closure() -> None:
    assert dyna("graph", "task-2", engine=ENGINE).out.splitlines() == [
        "task-2     a  cron 0 6 * * * Europe/Berlin",
        "└─ task-1  a  cron * * * * *",
    ]


def test_graph_of_unknown_task_suggests_near_names() -> None:
    result = dyna("graph", "task3", engine=ENGINE)

    assert (result.status, result.err.splitlines()[0]) == (
        3,
        'error: no server declares a task "task3".',
    )


@pytest.mark.parametrize("words", [("-o", "json"), ("-ojson",), ("--output=json",)])
def test_error_of_graph_as_json_is_one_object(words: tuple[str, ...]) -> None:
    result = dyna("graph", "nope", *words, engine=ENGINE)

    assert (result.status, result.err) == (3, "")
    assert result.json["error"]["what"] == 'no server declares a task "nope".'


def test_error_of_graph_as_a_tree_is_text() -> None:
    result = dyna("graph", "json", "-o", "tree", engine=ENGINE)

    assert (result.status, result.out) == (3, "")


def test_graph_for_mermaid_has_a_box_for_each_server() -> None:
    assert dyna("graph", "-o", "mermaid", "task-3", engine=ENGINE).out.splitlines() == [
        "flowchart LR",
        '  subgraph s0["a"]',
        '    t0["task-1"]',
        '    t1["task-2"]',
        "  end",
        '  subgraph s1["b"]',
        '    t2["task-3"]',
        "  end",
        '  t3["report (not declared)"]',
        "  t0 --> t1",
        "  t0 --> t2",
        "  t1 --> t2",
        "  t3 --> t2",
    ]


def test_graph_as_json_uses_the_names_of_a_plan() -> None:
    found = json.loads(dyna("graph", "task-2", "-o", "json", engine=ENGINE).out)

    assert found == {
        "tasks": [
            {"task": "task-1", "server": "a", "upstream": [], "unresolved": []},
            {"task": "task-2", "server": "a", "upstream": ["task-1"], "unresolved": []},
        ]
    }


def test_cron_ls_is_in_the_order_of_the_graph() -> None:
    assert dyna("cron", "ls", engine=ENGINE).out.splitlines() == [
        "task    server  cron       time zone      next",
        "task-1  a       * * * * *  UTC            03:05:00Z  in 45.0 s",
        "task-2  a       0 6 * * *  Europe/Berlin  03:04:35Z  in 20.0 s",
        "task-4  b       0 0 1 1 *  UTC            -",
    ]


def test_cron_next_lists_the_next_first() -> None:
    assert [line.split()[0] for line in dyna("cron", "next", engine=ENGINE).out.splitlines()] == [
        "task",
        "task-2",
        "task-1",
    ]


def test_tables_fit_a_narrow_terminal() -> None:
    for command in ("runs", "tasks", "servers", "graph"):
        assert (
            max(
                map(
                    len,
                    without_escapes(
                        dyna(command, engine=ENGINE, terminal=True, width=40).out
                    ).splitlines(),
                )
            )
            <= 40
        )

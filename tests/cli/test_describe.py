"""dyna describe: everything that is declared about a task."""

from cli.fake_engine import FakeEngine
from cli.fake_operations import CloudEngine, FakeOperations
from cli.run_builders import RUN, T0, at
from cli.run_dyna import dyna
from cordyna_core.contract.views.graph import TaskInfo
from cordyna_core.contract.views.runs import RunSummary

SCHEMA = {
    "properties": {
        "day": {"type": "string", "default": "today", "description": "Which day."},
        "limit": {"type": "integer"},
        "kind": {"enum": ["a", "b"]},
        "when": {"type": ["string", "null"], "format": "date-time"},
        "free": True,
        "none": False,
        "gone": {"$ref": "#/$defs/Gone"},
        "grade": {"$ref": "#/$defs/Grade", "default": "a"},
        "cows": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "top": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.5},
    },
    "$defs": {"Grade": {"type": "string", "enum": ["a", "b"]}},
    "required": ["limit"],
}
TASKS = [
    TaskInfo(
        task="task-3",
        server="task-server-b",
        upstream=["task-1", "task-2", "report"],
        unresolved=["report"],
        within_s={"task-2": 21600},
        cron="0 6 * * 1-5",
        timezone="Europe/Berlin",
        next_at=at(3600),
        owner="team-b",
        description="Prices of the day.",
        params_schema=SCHEMA,
        retries=2,
    ),
    TaskInfo(task="page", server="c", upstream=["task-3"]),
]
RUNS = [
    RunSummary(run_id=RUN, task="task-3", state="error", cancelled=True, created_at=T0),
    RunSummary(run_id="X" * 26, task="page", state="completed", created_at=T0),
]


def test_describe_shows_what_is_declared_and_the_last_runs() -> None:
    result = dyna("describe", "task-3", engine=FakeEngine(declared=TASKS, summaries=RUNS))

    assert result.out.splitlines() == [
        "task-3 on task-server-b  owner team-b",
        "  Prices of the day.",
        "",
        "  upstream    task-1, task-2 (within 6 h 00 m), report (not declared)",
        "  downstream  page",
        "  cron        0 6 * * 1-5 Europe/Berlin; overlap skip; next 04:04:05Z (in 59 m 50 s)",
        "  retries     2",
        "  clocks      acknowledge 10.0 s, start 10 m 00 s, run 30 m 00 s",
        "",
        "parameters",
        '  day    string, default "today"                      Which day.',
        "  limit  integer, required",
        '  kind   one of "a", "b"',
        "  when   string or null (date-time)",
        "  free   any",
        "  none   nothing",
        "  gone   any",
        '  grade  one of "a", "b", default "a"',
        "  cows   [string], items at most 3",
        "  top    integer or null, default null",
        "  share  number, more than 0, at most 1, default 0.5",
        "",
        "last runs",
        f"  ⊗ cancelled  {RUN}  10.0 s ago",
    ]


def test_describe_shows_secrets_without_their_defaults() -> None:
    secret = {"type": "string", "format": "password", "writeOnly": True}
    schema = {"properties": {"a": secret, "b": {**secret, "default": "***"}}, "required": ["a"]}
    task = TASKS[1].model_copy(update={"params_schema": schema})

    lines = dyna("describe", "page", engine=FakeEngine(declared=[task])).out.splitlines()

    assert lines[-2:] == [
        "  a  secret, by reference, required",
        "  b  secret, by reference, with a default",
    ]


def test_describe_of_a_paused_cron_shows_no_next_time() -> None:
    engine = CloudEngine(operations=FakeOperations(resting=["task-3"]), declared=TASKS)

    result = dyna("describe", "task-3", engine=engine)

    assert "overlap skip; paused until `dyna cron resume task-3`\n" in result.out
    assert dyna("describe", "task-3", "--json", engine=engine).json["next_at"] is None


def test_describe_of_minimal_task_leaves_out_the_rest() -> None:
    result = dyna("describe", "page", engine=FakeEngine(declared=TASKS, summaries=[]))

    assert result.out.splitlines() == [
        "page on c",
        "",
        "  upstream    task-3",
        "  downstream  none",
        "  retries     0",
        "  clocks      acknowledge 10.0 s, start 10 m 00 s, run 30 m 00 s",
    ]


def test_describe_json_is_the_task_with_downstream_and_runs() -> None:
    result = dyna("describe", "task-3", "--json", engine=FakeEngine(declared=TASKS, summaries=RUNS))

    assert result.json["task"] == "task-3"
    assert result.json["downstream"] == ["page"]
    assert [run["run_id"] for run in result.json["runs"]] == [RUN]


def test_describe_of_unknown_task_suggests_near_names() -> None:
    result = dyna("describe", "task3", engine=FakeEngine(declared=TASKS))

    assert (result.status, result.err.splitlines()[1]) == (
        3,
        "  next: did you mean task-3? `dyna tasks` lists all",
    )


def test_describe_shows_until_when_a_run_is_due() -> None:
    late = TASKS[0].model_copy(update={"due": "07:00"})

    assert (
        "  due         07:00\n"
        in dyna("describe", "task-3", engine=FakeEngine(declared=[late])).out
    )

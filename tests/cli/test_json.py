"""The JSON that programs read: exactly these keys, exactly these formats, exactly one object."""

import json

from cli.fake_engine import FakeEngine, refused
from cli.run_builders import RUN, a_run, a_task, at, completed_run, failed_run
from cli.run_dyna import dyna
from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.state_updates import ServerStateChanged
from cordyna_core.contract.views.graph import PlannedTaskView, PlanView, TaskInfo
from cordyna_core.contract.views.runs import LogLine, PassedEvent
from cordyna_core.errors import NotFound


def test_show_json_is_the_published_object() -> None:
    view = a_run(
        a_task(
            "task-1",
            "",
            "dispatched@0 started@0.000001 error:failed@2",
            params={"day": "monday"},
            owner="team-a",
            why="because",
        ),
        a_task("task-3", "task-1", server="server-b", blocked_by="task-1"),
        state="error",
    )

    assert dyna("show", "--json", engine=FakeEngine(views=[view])).json == {
        "run_id": RUN,
        "task": "task-3",
        "state": "error",
        "root_causes": [
            {"task": "task-1", "server": "server-a", "owner": "team-a", "reason": "failed"}
        ],
        "tasks": [
            {
                "task": "task-1",
                "server": "server-a",
                "state": "error",
                "reason": "failed",
                "attempt": 1,
                "params": {"day": "monday"},
                "output": None,
                "error": {
                    "type": "ValueError",
                    "message": "bad row 7",
                    "retryable": True,
                    "traceback": None,
                },
                "timeline": [
                    {
                        "state": "pending",
                        "reason": "dispatched",
                        "at": "2026-01-02T03:04:05.000000Z",
                        "by": "cordyna.cerebro",
                        "attempt": 1,
                    },
                    {
                        "state": "started",
                        "reason": None,
                        "at": "2026-01-02T03:04:05.000001Z",
                        "by": "cordyna.server.server-a",
                        "attempt": 1,
                    },
                    {
                        "state": "error",
                        "reason": "failed",
                        "at": "2026-01-02T03:04:07.000000Z",
                        "by": "cordyna.server.server-a",
                        "attempt": 1,
                    },
                ],
                "made_from": None,
            },
            {
                "task": "task-3",
                "server": "server-b",
                "state": "pending",
                "reason": "blocked",
                "attempt": 0,
                "params": {},
                "output": None,
                "error": None,
                "timeline": [],
                "made_from": None,
            },
        ],
    }


def test_json_of_a_cancelled_run_only_says_that_it_was_cancelled() -> None:
    for command in ("show", "timeline", "watch"):
        cancelled = FakeEngine(views=[failed_run().model_copy(update={"cancelled": True})])
        shown = dyna(command, "--json", engine=cancelled).json

        assert (shown["state"], shown["cancelled"]) == ("error", True)
        assert (
            "cancelled" not in dyna(command, "--json", engine=FakeEngine(views=[failed_run()])).json
        )


def test_do_json_prints_one_object_for_each_outcome() -> None:
    ok = dyna("do", "task-3", "--json", engine=FakeEngine(views=[completed_run()]))
    bad = dyna("do", "report", "--json", engine=FakeEngine(views=[failed_run()]))

    assert (ok.status, ok.json["state"], bad.status, bad.json["state"]) == (
        0,
        "completed",
        1,
        "error",
    )


def test_refusal_as_json_is_one_object() -> None:
    result = dyna(
        "do",
        "task-3",
        "--json",
        engine=FakeEngine(answer=refused("not_your_task", "another owns it", ["task-3"])),
    )

    assert result.status == 1
    assert result.json == {
        "error": {
            "what": 'task "task-3" cannot be invoked: another owns it',
            "why": "",
            "next": "dyna plan task-3",
        },
        "problems": [{"code": "not_your_task", "message": "another owns it", "path": ["task-3"]}],
    }
    assert result.err == ""


def test_user_error_as_json_is_one_object() -> None:
    result = dyna(
        "show", "--json", engine=FakeEngine(fault=NotFound("gone", why="it was", next="look"))
    )

    assert (result.status, result.json) == (
        3,
        {"error": {"what": "gone", "why": "it was", "next": "look"}, "problems": []},
    )


def test_usage_error_as_json_is_one_object() -> None:
    result = dyna("do", "task-3", "--json", "--nonsense", engine=FakeEngine())

    assert (result.status, result.json["problems"]) == (2, [])


def test_internal_error_as_json_is_one_object() -> None:
    result = dyna("show", "--json", engine=FakeEngine(fault=KeyError("x")))

    assert (result.status, result.json["error"]["what"]) == (
        5,
        "cordyna itself failed: KeyError: 'x'",
    )


def test_plan_json_is_the_published_object() -> None:
    planned = PlanView(
        task="task-3",
        tasks=[PlannedTaskView(task="task-3", server="b", upstream=["task-1"], level=1)],
    )

    assert dyna("plan", "task-3", "--json", engine=FakeEngine(planned=planned)).json == {
        "task": "task-3",
        "tasks": [{"task": "task-3", "server": "b", "upstream": ["task-1"], "level": 1}],
        "problems": [],
    }


def test_plan_json_with_problems_exits_with_1() -> None:
    planned = PlanView(
        task="task-3",
        problems=[Problem(code="unresolved_upstream", message="report is not declared")],
    )

    result = dyna("plan", "task-3", "--json", engine=FakeEngine(planned=planned))

    assert (result.status, result.json["problems"][0]["code"], result.err) == (
        1,
        "unresolved_upstream",
        "",
    )


def test_events_json_is_one_envelope_a_line_in_order() -> None:
    texts = [
        seal(ServerStateChanged(server="b", state=state), "cordyna.server.b", f"e{n}", at(-n))
        for n, state in enumerate(("ready", "stopped"))
    ]

    result = dyna(
        "events",
        "--all",
        "--json",
        engine=FakeEngine(
            passed=[PassedEvent(seq=n, text=text) for n, text in enumerate(texts, 1)]
        ),
    )

    assert result.out.splitlines() == texts
    assert [json.loads(line)["detail"]["state"] for line in result.out.splitlines()] == [
        "ready",
        "stopped",
    ]


def test_why_json_is_the_reason_of_the_run_or_of_the_task() -> None:
    line = LogLine(run_id=RUN, task="clean", attempt=1, at=at(1), stream="stdout", text="half way")
    engine = FakeEngine(views=[failed_run()], printed=[line])

    of_the_run, of_a_task = (
        dyna("why", "--json", engine=engine).json,
        dyna("why", "clean", "--json", engine=engine).json,
    )

    assert (of_the_run["task"], of_a_task["task"]) == ("report", "clean")
    assert of_a_task == {
        "run_id": RUN,
        "task": "clean",
        "sentence": "clean on server-a is in state error (failed).",
        "beside": ["at 03:04:10Z, 0.8 s after the attempt began", "owner: team-a"],
        "next": f"dyna logs {RUN} clean",
        "then": f"dyna retry {RUN}",
        "traceback": [],
    }


def test_timeline_json_is_the_run_with_its_timelines() -> None:
    engine = FakeEngine(views=[failed_run()])

    assert (
        dyna("timeline", "--json", engine=engine).json == dyna("show", "--json", engine=engine).json
    )


def test_logs_json_is_an_array_of_lines() -> None:
    line = LogLine(
        run_id=RUN, task="task-1", attempt=1, at=at(1), stream="stdout", text="\x1b[1mgrün"
    )

    result = dyna("logs", "--json", engine=FakeEngine(views=[completed_run()], printed=[line]))

    assert result.json == [
        {
            "run_id": RUN,
            "task": "task-1",
            "attempt": 1,
            "at": "2026-01-02T03:04:06Z",
            "stream": "stdout",
            "text": "\x1b[1mgrün",
        }
    ]
    assert (
        dyna("logs", "--json", engine=FakeEngine(views=[completed_run()])).json,
        result.err,
    ) == (
        [],
        "",
    )


def test_crons_as_json_are_tasks() -> None:
    declared = [
        TaskInfo(task=name, server="a", upstream=[], cron="0 6 * * *", next_at=at(n))
        for n, name in ((9, "late"), (3, "soon"))
    ]
    engine = FakeEngine(declared=declared)

    assert [info["task"] for info in dyna("cron", "ls", "--json", engine=engine).json] == [
        "late",
        "soon",
    ]
    assert [info["task"] for info in dyna("cron", "next", "--json", engine=engine).json] == [
        "soon",
        "late",
    ]

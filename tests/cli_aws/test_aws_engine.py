"""The engine of the command line on AWS, before the real cerebro in memory."""

import json
from io import BytesIO
from typing import Any

import pytest

from cordyna_cli.aws import engine as aws_engine
from cordyna_cli.aws.commands import ASK_WHY_AFTER_S
from cordyna_cli.aws.discovery import CerebroLocation, find_cerebro
from cordyna_cli.aws.engine import AwsEngine, open_engine
from cordyna_cli.engine import EngineOptions, Invoked, Refused
from cordyna_core import UserError
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.time import utc
from cordyna_core.errors import NotFound, ServiceError
from cli_aws.cloud_in_memory import NOON, SERVER, MemoryCloud

PLACE = CerebroLocation(
    stage="production",
    bus="cordyna",
    query="cordyna-query",
    events_log="/aws/events/cordyna",
    schedule_group="cordyna",
)


def an_engine(cloud: MemoryCloud, place: CerebroLocation = PLACE) -> AwsEngine:
    return AwsEngine(cloud, place, clock=lambda: cloud.now, sleep=cloud.sleep)  # type: ignore[arg-type]


def a_world(**options: bool) -> tuple[AwsEngine, MemoryCloud]:
    """y needs x."""
    cloud = MemoryCloud(**options)
    if not cloud.deaf:
        cloud.declare("x", "y<-x")
    return an_engine(cloud), cloud


def invoked(engine: AwsEngine, task: str = "y") -> str:
    taken = engine.invoke(InvokeTask(task=task))
    assert isinstance(taken, Invoked)
    return taken.run_id


def hear_late(cloud: MemoryCloud) -> None:
    """Cerebro hears the next command just after it was asked, for the last time, whether it took it."""
    cloud.deaf = True
    ask = cloud.answers["lambda.invoke"]

    def answer(**arguments: Any) -> Any:
        answered = ask(**arguments)
        if cloud.deaf and cloud.now >= NOON + ASK_WHY_AFTER_S:
            cloud.deaf = False
            cloud.hear(cloud.passed[-1])
        return answered

    cloud.answers["lambda.invoke"] = answer


def codes(refused: Refused | Invoked | None) -> list[str]:
    assert isinstance(refused, Refused)
    return [problem.code for problem in refused.problems]


def test_an_invocation_is_an_event_of_a_client_and_is_taken_at_once() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    asked = open_envelope(cloud.passed[2])
    assert (asked.source, asked.message.model_copy(update={"meta": None})) == (
        "cordyna.client",
        InvokeTask(task="y"),
    )
    assert run_id == run_id_of("y", asked.id)
    assert cloud.slept == []


def test_an_invocation_that_brings_its_own_id_keeps_it() -> None:
    engine, _ = a_world()
    command = InvokeTask(task="y", meta=meta_at(NOON, "mine"))
    assert engine.invoke(command) == Invoked(run_id_of("y", "mine"))


def test_the_same_key_finds_the_same_run() -> None:
    engine, _ = a_world()
    assert (
        engine.invoke(InvokeTask(task="y", key="k"))
        == engine.invoke(InvokeTask(task="y", key="k"))
        == Invoked(run_id_of("y", "k"))
    )


@pytest.mark.parametrize("writes_log", [True, False])
def test_an_unknown_task_is_refused_also_where_the_bus_has_no_log(writes_log: bool) -> None:
    engine, cloud = a_world(writes_log=writes_log)
    assert codes(engine.invoke(InvokeTask(task="z"))) == ["unknown_task"]
    assert sum(cloud.slept) < (3 if writes_log else 8)


@pytest.mark.parametrize("writes_log", [True, False])
def test_bad_params_are_refused_also_where_the_bus_has_no_log(writes_log: bool) -> None:
    engine, _ = a_world(writes_log=writes_log)
    refused = engine.invoke(InvokeTask(task="y", params={"day": "monday"}))
    assert len(codes(refused)) == 1


@pytest.mark.parametrize("writes_log", [True, False])
def test_a_key_that_is_used_with_other_params_is_refused_also_where_the_bus_has_no_log(
    writes_log: bool,
) -> None:
    engine, cloud = a_world(writes_log=writes_log)
    cloud.declare(
        "x", "y", params_schema={"type": "object", "properties": {"day": {"type": "string"}}}
    )
    engine.invoke(InvokeTask(task="y", key="k"))
    assert codes(engine.invoke(InvokeTask(task="y", key="k", params={"day": "monday"}))) == [
        "key_reused"
    ]


@pytest.mark.parametrize("params", [{}, {"day": "monday"}])
def test_what_is_taken_while_it_is_asked_why_not_is_not_refused(params: dict[str, str]) -> None:
    engine, cloud = a_world()
    cloud.declare(
        "x", "y", params_schema={"type": "object", "properties": {"day": {"type": "string"}}}
    )
    hear_late(cloud)
    assert isinstance(engine.invoke(InvokeTask(task="y", params=params)), Invoked)


def test_a_retry_that_is_applied_while_it_is_asked_why_not_is_not_refused() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    cloud.said(run_id, "x", "error")
    hear_late(cloud)
    assert engine.command(RetryRun(run_id=run_id)) is None


def test_a_cerebro_that_does_not_answer_is_told_and_the_command_may_still_be_taken() -> None:
    engine, cloud = a_world(deaf=True)
    cloud.deaf = True
    cloud.answers["lambda.invoke"] = lambda **_: _run_missing()
    with pytest.raises(ServiceError, match="has not answered within 3 s") as told:
        engine.invoke(InvokeTask(task="y"), wait_s=3)
    assert "may still be taken" in told.value.why
    assert sum(cloud.slept) == pytest.approx(3)


def _run_missing() -> Any:
    return {"Payload": BytesIO(json.dumps({"missing": {"what": "run ... is not known."}}).encode())}


@pytest.mark.parametrize("writes_log", [True, False])
def test_a_run_is_cancelled_and_cancelling_it_again_is_no_error(writes_log: bool) -> None:
    engine, _ = a_world(writes_log=writes_log)
    run_id = invoked(engine)
    assert engine.command(CancelRun(run_id=run_id)) is None
    assert engine.command(CancelRun(run_id=run_id)) is None
    assert engine.run(run_id).cancelled


@pytest.mark.parametrize("writes_log", [True, False])
def test_what_cannot_be_cancelled_or_retried_is_refused_also_where_the_bus_has_no_log(
    writes_log: bool,
) -> None:
    engine, cloud = a_world(writes_log=writes_log)
    run_id = invoked(engine, "x")
    assert codes(engine.command(RetryRun(run_id=run_id))) == ["nothing_failed"]
    cloud.said(run_id, "x", "completed")
    assert codes(engine.command(CancelRun(run_id=run_id))) == ["run_completed"]
    other = invoked(engine, "y")
    engine.command(CancelRun(run_id=other))
    assert codes(engine.command(RetryRun(run_id=other))) == ["run_cancelled"]


def test_what_failed_is_retried() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    cloud.said(run_id, "x", "error")
    assert engine.command(RetryRun(run_id=run_id)) is None
    assert engine.run(run_id).tasks[0].attempt == 2


def test_a_run_that_is_not_there_cannot_be_commanded() -> None:
    engine, cloud = a_world()
    with pytest.raises(NotFound, match="is not known"):
        engine.command(CancelRun(run_id=run_id_of("y", "k")))
    assert "events.put_events" not in cloud.calls


def test_a_run_is_followed_each_time_it_changes_until_it_is_over() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine, "x")
    said = iter(["started", None, None, "completed"])

    def time_passes(seconds: float) -> None:
        cloud.slept.append(seconds)
        cloud.now += seconds
        state = next(said)
        if state is not None:
            cloud.said(run_id, "x", state)

    engine._sleep = time_passes
    assert [view.tasks[0].state for view in engine.follow(run_id)] == [
        "pending",
        "started",
        "completed",
    ]
    # While nothing changes, it is asked less and less often.
    assert cloud.slept == pytest.approx([0.25, 0.25, 0.325, 0.4225])


def test_following_gives_up_in_time() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    assert len(list(engine.follow(run_id, timeout_s=5))) == 1
    assert cloud.now - NOON == pytest.approx(5)


def test_a_large_run_that_takes_long_to_be_asked_for_is_asked_for_less_often() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    ask = cloud.answers["lambda.invoke"]

    def slowly(**arguments: Any) -> Any:
        cloud.now += 2
        return ask(**arguments)

    cloud.answers["lambda.invoke"] = slowly
    assert len(list(engine.follow(run_id, timeout_s=30))) == 1
    assert all(pause == pytest.approx(6) for pause in cloud.slept[:-1])


def test_tasks_servers_runs_and_plans_are_those_of_cerebro() -> None:
    engine, _ = a_world()
    run_id = invoked(engine)
    assert [info.task for info in engine.tasks()] == ["x", "y"]
    assert [info.server for info in engine.servers()] == [SERVER]
    assert [run.run_id for run in engine.runs()] == [run_id]
    assert [task.task for task in engine.plan("y").tasks] == ["x", "y"]


def test_the_events_of_a_run_begin_with_what_asked_for_it() -> None:
    engine, _ = a_world()
    invoked(engine, "x")
    run_id = invoked(engine)
    passed = engine.events(run_id)
    assert [type(open_envelope(event.text).message).__name__ for event in passed] == [
        "InvokeTask",
        "RunStateChanged",
        "RunTask",
    ]
    assert [event.seq for event in passed] == [1, 2, 3]
    assert engine.events(run_id, after=2) == passed[2:]
    assert len(engine.events()) > len(passed)


def test_where_the_bus_has_no_log_it_is_said_what_to_ask_instead() -> None:
    engine, _ = a_world(writes_log=False)
    run_id = invoked(engine)
    with pytest.raises(ServiceError, match="holds nothing of this run") as told:
        engine.events(run_id)
    assert told.value.next.startswith(f"dyna timeline {run_id}")


def test_what_is_not_of_the_contract_passes_the_bus_and_is_shown_too() -> None:
    engine, _ = a_world()
    run_id = run_id_of("y", "k")
    engine.send(
        [
            json.dumps(
                {"source": "cordyna.client", "detail-type": "Weather", "detail": {"run_id": run_id}}
            )
        ]
    )
    engine.invoke(InvokeTask(task="y", key="k"))
    assert [json.loads(event.text)["detail-type"] for event in engine.events(run_id)][:2] == [
        "InvokeTask",
        "Weather",
    ]


def test_a_run_without_a_time_is_looked_for_in_the_log_of_a_day() -> None:
    engine, _ = a_world()
    run_id = invoked(engine)
    view = engine.run(run_id).model_copy(update={"created_at": None})
    engine.run = lambda run_id: view  # type: ignore[method-assign]
    assert len(engine.events(run_id)) == 3


def test_what_tasks_printed_is_read_from_wherever_their_server_writes() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    told = {
        "timestamp": utc(NOON + 1).isoformat(),
        "run_id": run_id,
        "attempt": 1,
        "stream": "stdout",
    }
    lines = [
        {**told, "task": "y", "message": "second"},
        {**told, "task": "x", "message": "first", "timestamp": utc(NOON).isoformat()},
    ]
    texts = [
        *map(json.dumps, lines),
        f"no JSON {run_id}",
        json.dumps([run_id]),
        json.dumps({"run_id": run_id, "message": "no line of a task"}),
    ]
    cloud.groups[f"/aws/lambda/{SERVER}-worker"] = [
        {"timestamp": int(NOON * 1000), "message": text} for text in texts
    ]
    assert [(line.task, line.text) for line in engine.logs(run_id)] == [
        ("x", "first"),
        ("y", "second"),
    ]
    assert [line.text for line in engine.logs(run_id, "y")] == ["second"]


def test_a_long_log_comes_page_by_page() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    pages = iter(
        [
            {"events": [{"timestamp": 1, "message": "a"}], "nextToken": "t"},
            {"events": [{"timestamp": 2, "message": "b"}]},
        ]
    )
    cloud.answers["logs.filter_log_events"] = lambda **_: next(pages, {"events": []})
    assert [event.text for event in engine.events(run_id)] == ["a", "b"]


def test_dev_shows_every_event_once() -> None:
    engine, cloud = a_world()
    shown = engine.dev(since=utc(NOON - 1))
    assert [next(shown).seq for _ in range(2)] == [1, 2]
    cloud.declare("x")
    assert next(shown).seq == 3
    assert cloud.slept == [2.0]


def test_dev_begins_with_what_passes_from_now_on() -> None:
    engine, cloud = a_world()
    cloud.now += 1
    shown = engine.dev()
    cloud.declare("z")
    assert "z" in next(shown).text


def test_raw_events_are_put_on_the_bus_as_they_are() -> None:
    engine, cloud = a_world()
    lines = [
        json.dumps(
            {
                "source": "cordyna.server.forged",
                "detail-type": "TaskStateChanged",
                "detail": {"a": 1},
            }
        ),
        json.dumps({"source": "s", "detail-type": "T", "detail": '{"a": 2}'}),
        "not JSON",
        "[1]",
    ]
    engine.send(lines)
    passed = [json.loads(text) for text in cloud.passed[-4:]]
    assert [(each["source"], each["detail-type"], each["detail"]) for each in passed] == [
        ("cordyna.server.forged", "TaskStateChanged", {"a": 1}),
        ("s", "T", {"a": 2}),
        ("cordyna.client", "", {"text": "not JSON"}),
        ("cordyna.client", "", {"text": "[1]"}),
    ]


def test_raw_events_that_the_bus_does_not_take_are_told() -> None:
    engine, cloud = a_world()
    cloud.answers["events.put_events"] = lambda **_: {
        "Entries": [{"ErrorCode": "InvalidArgument", "ErrorMessage": "no source"}]
    }
    with pytest.raises(ServiceError, match="did not take 1 of the events") as told:
        engine.send(["{}"])
    assert told.value.why == "InvalidArgument: no source"


def test_a_query_function_that_fails_is_told_with_its_fault() -> None:
    engine, cloud = a_world()
    for payload, why in (
        ({"errorType": "KeyError", "errorMessage": "'x'"}, "KeyError: 'x'"),
        ("out of memory", "out of memory"),
    ):
        body = json.dumps(payload).encode()
        cloud.answers["lambda.invoke"] = lambda body=body, **_: {
            "FunctionError": "Unhandled",
            "Payload": BytesIO(body),
        }
        with pytest.raises(ServiceError, match="query function failed") as told:
            engine.tasks()
        assert told.value.why == why


def test_the_engine_is_opened_where_cerebro_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = MemoryCloud()
    cloud.answers["ssm.get_parameters_by_path"] = lambda **_: parameters(
        production={"bus": "cordyna", "query": "cordyna-query"}
    )
    monkeypatch.setattr(aws_engine, "AwsSession", lambda options: cloud)
    with open_engine(EngineOptions()) as engine:
        assert engine.runs() == []
        # Without a log of the bus nothing is read from one.
        assert engine.events() == []


def parameters(**stages: dict[str, str]) -> Any:
    return {
        "Parameters": [
            {"Name": f"/cordyna/{stage}/{name}", "Value": value}
            for stage, told in stages.items()
            for name, value in told.items()
        ]
    }


ONE = {"bus": "cordyna", "query": "cordyna-query"}
OTHER = {"bus": "other", "query": "other-query"}


@pytest.mark.parametrize(
    ("stages", "bus", "found"),
    [
        ({"production": ONE}, None, "production"),
        ({"production": ONE, "staging": OTHER}, "other", "staging"),
        ({"production": ONE, "half": {"bus": "half"}}, None, "production"),
    ],
)
def test_the_cerebro_of_a_bus_or_the_only_one_is_found(
    stages: dict[str, dict[str, str]], bus: str | None, found: str
) -> None:
    assert find_cerebro(answering(parameters(**stages)), bus).stage == found


def test_parameters_come_page_by_page() -> None:
    pages = [
        parameters(production={"bus": "cordyna"}) | {"NextToken": "t"},
        parameters(production={"query": "cordyna-query"}),
    ]
    assert find_cerebro(answering(*pages), None).query == "cordyna-query"


@pytest.mark.parametrize(
    ("stages", "bus", "what", "why"),
    [
        ({}, None, "there is no cerebro in memory.", "no SSM parameters under /cordyna/"),
        (
            {"production": ONE},
            "other",
            "there is no cerebro with the bus other in memory.",
            "buses there: cordyna",
        ),
        (
            {"production": ONE, "staging": OTHER},
            None,
            "there are 2 cerebros in memory.",
            "production: bus cordyna\nstaging: bus other",
        ),
    ],
)
def test_a_cerebro_that_cannot_be_chosen_is_told(
    stages: dict[str, dict[str, str]], bus: str | None, what: str, why: str
) -> None:
    with pytest.raises(UserError) as told:
        find_cerebro(answering(parameters(**stages)), bus)
    assert (told.value.what, told.value.why) == (what, why)


def answering(*pages: Any) -> Any:
    cloud, left = MemoryCloud(), iter(pages)
    cloud.answers["ssm.get_parameters_by_path"] = lambda **_: next(left)
    return cloud

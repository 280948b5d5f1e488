"""The engine of the command line on AWS, before the real cerebro in memory."""

import json
from io import BytesIO
from typing import Any

import pytest

from cli_aws.cloud_in_memory import NOON, SERVER, MemoryCloud
from cordyna_cli.aws.commands import ASK_WHY_AFTER_S
from cordyna_cli.aws.discovery import CerebroLocation
from cordyna_cli.aws.engine import AwsEngine
from cordyna_cli.engine import Invoked, Refused
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.time import utc
from cordyna_core.errors import NotFound, ServiceError

PLACE = CerebroLocation(
    stage="production",
    bus="cordyna",
    query="cordyna-query",
    events_log="/aws/events/cordyna",
    schedule_group="cordyna",
)


def an_engine(cloud: MemoryCloud, place: CerebroLocation = PLACE) -> AwsEngine:
    session: Any = cloud
    return AwsEngine(session, place, clock=lambda: cloud.now, sleep=cloud.sleep)


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


def deliver_late(cloud: MemoryCloud) -> None:
    """Deliver the next command to cerebro just after it was asked for the last time."""
    cloud.deaf = True
    ask = cloud.answers["lambda.invoke"]

    def answer(**arguments: Any) -> Any:
        answered = ask(**arguments)
        if cloud.deaf and cloud.now >= NOON + ASK_WHY_AFTER_S:
            cloud.deaf = False
            cloud.deliver(cloud.passed[-1])
        return answered

    cloud.answers["lambda.invoke"] = answer


def codes(refused: Refused | Invoked | None) -> list[str]:
    assert isinstance(refused, Refused)
    return [problem.code for problem in refused.problems]


def test_invocation_is_an_event_of_a_client() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    asked = next(
        envelope
        for envelope in map(open_envelope, cloud.passed)
        if isinstance(envelope.message, InvokeTask)
    )
    assert (asked.source, asked.message.model_copy(update={"meta": None})) == (
        "cordyna.client",
        InvokeTask(task="y"),
    )
    assert run_id == run_id_of("y", asked.id)
    assert cloud.slept == []


def test_invocation_keeps_its_own_id() -> None:
    engine, _ = a_world()
    command = InvokeTask(task="y", meta=meta_at(NOON, "mine"))
    assert engine.invoke(command) == Invoked(run_id_of("y", "mine"))


def test_same_key_gives_the_same_run() -> None:
    engine, _ = a_world()
    assert (
        engine.invoke(InvokeTask(task="y", key="k"))
        == engine.invoke(InvokeTask(task="y", key="k"))
        == Invoked(run_id_of("y", "k"))
    )


@pytest.mark.parametrize("writes_log", [True, False])
def test_unknown_task_is_refused_without_a_log(*, writes_log: bool) -> None:
    engine, cloud = a_world(writes_log=writes_log)
    assert codes(engine.invoke(InvokeTask(task="z"))) == ["unknown_task"]
    assert sum(cloud.slept) < (3 if writes_log else 8)


@pytest.mark.parametrize("writes_log", [True, False])
def test_bad_params_are_refused_without_a_log(*, writes_log: bool) -> None:
    engine, _ = a_world(writes_log=writes_log)
    refused = engine.invoke(InvokeTask(task="y", params={"day": "monday"}))
    assert len(codes(refused)) == 1


@pytest.mark.parametrize("writes_log", [True, False])
def test_reused_key_is_refused_without_a_log(
    *,
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
def test_invocation_applied_during_the_query_is_not_refused(params: dict[str, str]) -> None:
    engine, cloud = a_world()
    cloud.declare(
        "x", "y", params_schema={"type": "object", "properties": {"day": {"type": "string"}}}
    )
    deliver_late(cloud)
    assert isinstance(engine.invoke(InvokeTask(task="y", params=params)), Invoked)


def test_retry_applied_during_the_query_is_not_refused() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    cloud.report(run_id, "x", "error")
    deliver_late(cloud)
    assert engine.command(RetryRun(run_id=run_id)) is None


def test_missing_answer_is_a_service_error() -> None:
    engine, cloud = a_world(deaf=True)
    cloud.deaf = True
    cloud.answers["lambda.invoke"] = lambda **_: _run_missing()
    with pytest.raises(ServiceError, match="has not answered within 3 s") as raised:
        engine.invoke(InvokeTask(task="y"), wait_s=3)
    assert "may still be applied" in raised.value.why
    assert sum(cloud.slept) == pytest.approx(3)


def _run_missing() -> Any:
    return {"Payload": BytesIO(json.dumps({"missing": {"what": "run ... is not known."}}).encode())}


@pytest.mark.parametrize("writes_log", [True, False])
def test_cancel_of_cancelled_run_is_not_an_error(*, writes_log: bool) -> None:
    engine, _ = a_world(writes_log=writes_log)
    run_id = invoked(engine)
    assert engine.command(CancelRun(run_id=run_id)) is None
    assert engine.command(CancelRun(run_id=run_id)) is None
    assert engine.run(run_id).cancelled


@pytest.mark.parametrize("writes_log", [True, False])
def test_retry_of_what_a_rerun_runs_is_refused(*, writes_log: bool) -> None:
    engine, cloud = a_world(writes_log=writes_log)
    run_id = invoked(engine, "y")
    for task in ("x", "y"):
        cloud.report(run_id, task, "completed")
    assert engine.command(RetryRun(run_id=run_id, from_=["x"], downstream=True)) is None
    assert codes(engine.command(RetryRun(run_id=run_id))) == ["rerun_under_way"]


@pytest.mark.parametrize("writes_log", [True, False])
def test_impossible_command_is_refused_without_a_log(
    *,
    writes_log: bool,
) -> None:
    engine, cloud = a_world(writes_log=writes_log)
    run_id = invoked(engine, "x")
    assert codes(engine.command(RetryRun(run_id=run_id))) == ["nothing_failed"]
    cloud.report(run_id, "x", "completed")
    assert codes(engine.command(CancelRun(run_id=run_id))) == ["run_completed"]
    other = invoked(engine, "y")
    engine.command(CancelRun(run_id=other))
    assert codes(engine.command(RetryRun(run_id=other))) == ["run_cancelled"]


def test_retry_of_failed_run_is_applied() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    cloud.report(run_id, "x", "error")
    assert engine.command(RetryRun(run_id=run_id)) is None
    assert engine.run(run_id).tasks[0].attempt == 2


def test_command_to_unknown_run_is_not_found() -> None:
    engine, cloud = a_world()
    with pytest.raises(NotFound, match="is not known"):
        engine.command(CancelRun(run_id=run_id_of("y", "k")))
    assert "events.put_events" not in cloud.calls


def test_follow_yields_each_change_until_the_end() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine, "x")
    states = iter(["started", None, None, "completed"])

    def time_passes(seconds: float) -> None:
        cloud.slept.append(seconds)
        cloud.now += seconds
        state = next(states)
        if state is not None:
            cloud.report(run_id, "x", state)

    engine._sleep = time_passes
    assert [view.tasks[0].state for view in engine.follow(run_id)] == [
        "pending",
        "started",
        "completed",
    ]
    # While nothing changes, it is asked less and less often.
    assert cloud.slept == pytest.approx([0.25, 0.25, 0.325, 0.4225])


def test_follow_ends_after_its_timeout() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    assert len(list(engine.follow(run_id, timeout_s=5))) == 1
    assert cloud.now - NOON == pytest.approx(5)


def test_follow_polls_a_slow_run_less_often() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    ask = cloud.answers["lambda.invoke"]

    def slowly(**arguments: Any) -> Any:
        cloud.now += 2
        return ask(**arguments)

    cloud.answers["lambda.invoke"] = slowly
    assert len(list(engine.follow(run_id, timeout_s=30))) == 1
    assert all(pause == pytest.approx(6) for pause in cloud.slept[:-1])


def test_views_are_those_of_the_query_function() -> None:
    engine, _ = a_world()
    run_id = invoked(engine)
    assert [info.task for info in engine.tasks()] == ["x", "y"]
    assert [info.server for info in engine.servers()] == [SERVER]
    assert [run.run_id for run in engine.runs()] == [run_id]
    assert [task.task for task in engine.plan("y").tasks] == ["x", "y"]


def test_events_of_a_run_begin_with_its_invocation() -> None:
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


def test_events_without_a_log_name_timeline() -> None:
    engine, _ = a_world(writes_log=False)
    run_id = invoked(engine)
    with pytest.raises(ServiceError, match="has no event of this run") as raised:
        engine.events(run_id)
    assert raised.value.next.startswith(f"dyna timeline {run_id}")


def test_events_outside_the_contract_are_shown() -> None:
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


def test_run_without_time_is_searched_in_the_last_day() -> None:
    engine, _ = a_world()
    run_id = invoked(engine)
    view = engine.run(run_id).model_copy(update={"created_at": None})
    engine.run = lambda run_id: view  # type: ignore[method-assign]
    assert len(engine.events(run_id)) == 3


def test_logs_are_read_from_each_group_of_a_server() -> None:
    engine, cloud = a_world()
    run_id = invoked(engine)
    fields = {
        "timestamp": utc(NOON + 1).isoformat(),
        "run_id": run_id,
        "attempt": 1,
        "stream": "stdout",
    }
    lines = [
        {**fields, "task": "y", "message": "second"},
        {**fields, "task": "x", "message": "first", "timestamp": utc(NOON).isoformat()},
    ]
    texts = [
        *map(json.dumps, lines),
        f"no JSON {run_id}",
        "[" * 100_000 + run_id,
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


def test_long_log_is_read_page_by_page() -> None:
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


def test_dev_yields_every_event_once() -> None:
    engine, cloud = a_world()
    shown = engine.dev(since=utc(NOON - 1))
    before = len(cloud.passed)
    assert [next(shown).seq for _ in range(before)] == list(range(1, before + 1))
    cloud.declare("x")
    assert next(shown).seq == before + 1
    assert cloud.slept == [2.0]


def test_dev_begins_with_new_events() -> None:
    engine, cloud = a_world()
    cloud.now += 1
    shown = engine.dev()
    cloud.declare("z")
    assert "z" in next(shown).text


def test_failed_query_function_is_a_service_error() -> None:
    engine, cloud = a_world()
    for payload, why in (
        ({"errorType": "KeyError", "errorMessage": "'x'"}, "KeyError: 'x'"),
        ("out of memory", "out of memory"),
    ):
        body = BytesIO(json.dumps(payload).encode())
        failed = {"FunctionError": "Unhandled", "Payload": body}
        cloud.answers["lambda.invoke"] = lambda failed=failed, **_: failed
        with pytest.raises(ServiceError, match="query function failed") as raised:
            engine.tasks()
        assert raised.value.why == why

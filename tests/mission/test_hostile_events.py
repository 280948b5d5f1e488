"""Whatever is on the bus, on either engine: each command is answered, and nothing else changes.

A run of b<-a is in progress when an event arrives that no careful sender would send, twice and in
the middle of the protocol. Afterwards the run ends as if it had never arrived.
"""

from collections.abc import Callable
from typing import Any

import pytest

from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun, RunTask
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source
from cordyna_core.contract.state_updates import (
    DeclarationRejected,
    InvocationRejected,
    RunStateChanged,
)
from world.two_engines import RUN, Engine, Loop, Queue, event, finish, update, with_a_run

SCHEMA = {"type": "object", "properties": {"text": {"type": "string", "maxLength": 5}}}


def invoke(source: str = CLIENT, **detail: Any) -> str:
    return event(source, "InvokeTask", detail)


@pytest.fixture(params=[Loop, Queue])
def engine(request: pytest.FixtureRequest) -> Engine:
    return with_a_run(request.param(), p={"params_schema": SCHEMA})


def codes(engine: Engine) -> list[str]:
    rejected = [m for m in engine.published if isinstance(m, InvocationRejected)]
    return [problem.code for m in rejected for problem in m.problems]


def commands(engine: Engine) -> list[tuple[str, int]]:
    """The commands to run a task; one that is sent again has the same id."""
    sent = [m for m in engine.published if isinstance(m, RunTask)]
    return list({m.meta and m.meta.id: (m.task, m.attempt) for m in sent}.values())


FORGED: dict[str, str] = {
    "a command of cerebro from a client": event(
        CLIENT, "RunTask", {"server": "s", "run_id": RUN, "task": "a", "attempt": 1}
    ),
    "an update in the name of the scheduler": update("cordyna.scheduler", state="completed"),
    "an update of a client": update(CLIENT, state="completed"),
    "an update of another server": update(server_source("t"), server="t", state="completed"),
    "an update of a server in another's name": update(server_source("t"), state="completed"),
    "an attempt before the first": update(attempt=0, state="completed"),
    "an attempt that was never sent": update(attempt=2, state="completed"),
    "an attempt beyond 64 bits": update(attempt=2**64, state="completed"),
    "an attempt that is no number": update(attempt="one", state="completed"),
    "an update of a task that waits": update(task="b", state="completed"),
    "an update of a task in no plan": update(task="p", state="completed"),
    "a task with a line break": update(task="a\n", state="completed"),
    "a run id in small letters": update(run_id=RUN.lower(), state="completed"),
    "a run id with a full-width digit": update(run_id=RUN[:25] + "\uff11", state="completed"),
    "a run that is not known": update(run_id="0" * 26, state="completed"),
    "a server that reports pending": update(state="pending"),
    "no JSON": "🙂",
    "JSON that is no event": "[1, 2]",
    "brackets without end": "[" * 100_000,
    "a message of cerebro to itself, on the bus": event(
        CLIENT, "PageTimer", {"ring": {"run_id": RUN, "page": 0, "due": 0.0}}
    ),
}
"""Events that must become dead letters, or be refused as text, and change nothing."""


@pytest.mark.parametrize("name", FORGED)
def test_forged_event_becomes_a_dead_letter_and_changes_nothing(name: str, engine: Engine) -> None:
    before = engine.store.read_page(RUN, 0)
    for _ in range(2):
        engine.put(FORGED[name])
    assert engine.store.read_page(RUN, 0) == before
    ((text, reason), *_) = engine.dead_letters
    assert text == FORGED[name]
    assert reason
    finish(engine)
    run = engine.store.read_run(RUN)
    assert run is not None
    assert run.status == "completed"
    assert commands(engine) == [("a", 1), ("b", 1)]


REFUSED: dict[str, tuple[str, str]] = {
    "a task with an emoji": (invoke(task="a🙂"), "malformed_detail"),
    "a task with a line break": (invoke(task="a\n"), "malformed_detail"),
    "an empty key": (invoke(task="a", key=""), "malformed_detail"),
    "a key of 257 emoji": (invoke(task="a", key="🙂" * 257), "malformed_detail"),
    "params that are a list": (invoke(task="a", params=["x"]), "malformed_detail"),
    "params with half a character": (
        event(CLIENT, "InvokeTask", '{"task":"p","params":{"text":"\\ud83d"}}'),
        "malformed_event",
    ),
    "a task that is half a character": (
        event(CLIENT, "InvokeTask", '{"task":"\\ud83d"}'),
        "malformed_event",
    ),
    "a param that is infinite": (
        event(CLIENT, "InvokeTask", '{"task":"p","params":{"text":1e999}}'),
        "malformed_detail",
    ),
    "a text of six emoji where five fit": (
        invoke(task="p", params={"text": "🙂" * 6}),
        "bad_param",
    ),
    "emoji of 128 KB": (invoke(task="p", params={"text": "🙂" * 32_768}), "params_too_large"),
    "a key with other params": (
        invoke(task="b", key="k", params={"text": "x"}),
        "key_reused",
    ),
    "a moment without a time zone": (
        invoke(task="a", scheduled_at="2027-01-01T00:00:00"),
        "malformed_detail",
    ),
    "a moment after the last one": (
        invoke(task="a", scheduled_at="9999-12-31T23:59:59-23:59"),
        "malformed_detail",
    ),
    "a negative age": (invoke(task="a", max_age_s=-1), "malformed_detail"),
    "a retry of a run that is not known": (
        event(CLIENT, "RetryRun", {"run_id": "0" * 26}),
        "unknown_run",
    ),
    "a cancel by another server": (
        event(server_source("t"), "CancelRun", {"run_id": RUN}),
        "not_your_task",
    ),
    "a retry of everything downstream of nothing": (
        event(CLIENT, "RetryRun", {"run_id": RUN, "downstream": True}),
        "downstream_without_from",
    ),
    "a command id of 129 characters": (
        event(CLIENT, "CancelRun", {"run_id": RUN, "command_id": "x" * 129}),
        "malformed_detail",
    ),
}
"""Commands that must be refused, and with which code."""


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_command_is_refused_with_its_reason(name: str, engine: Engine) -> None:
    text, code = REFUSED[name]
    engine.put(text)
    # Of an event that strict JSON refuses, the problems of its detail follow.
    assert codes(engine)[:1] == [code]
    assert set(codes(engine)[1:]) <= {"malformed_detail"}
    engine.put(text)
    ids = {m.meta.id for m in engine.published if isinstance(m, InvocationRejected) and m.meta}
    assert len(ids) == 1, "the same command has one answer, however often it arrives"
    finish(engine)
    assert commands(engine) == [("a", 1), ("b", 1)]


@pytest.mark.parametrize(
    "fields", ['"tasks":[{"name":"\\ud83d"}]', '"tasks":[],"\\ud83d":1', '"tasks":[{"\\ud83d":1}]']
)
def test_declaration_with_half_a_character_is_rejected(fields: str, engine: Engine) -> None:
    source = server_source("t")
    engine.put(event(source, "ServerDeclared", f'{{"server":"t","revision":1,{fields}}}'))
    rejected = [m for m in engine.published if isinstance(m, DeclarationRejected)]
    assert [m.server for m in rejected] == ["t"]
    assert rejected[0].problems


@pytest.mark.parametrize("detail", ['"{}"', "null", "[]"])
def test_declaration_that_is_no_object_is_told_so(detail: str, engine: Engine) -> None:
    engine.put(event(server_source("t"), "ServerDeclared", detail))
    (rejected,) = [m for m in engine.published if isinstance(m, DeclarationRejected)]
    assert [problem.message for problem in rejected.problems] == [
        "detail: Input should be an object"
    ]


def test_two_clients_with_one_key_share_a_run(engine: Engine) -> None:
    engine.put(event(f"{CLIENT}.web", "InvokeTask", {"task": "b", "key": "k"}, "second"))
    answers = [m for m in engine.published if isinstance(m, RunStateChanged)]
    assert [(m.run_id, m.meta.cause) for m in answers if m.meta] == [
        (RUN, "first"),
        (RUN, "second"),
    ]
    assert commands(engine) == [("a", 1)]


def test_key_of_emoji_makes_a_run_of_its_own(engine: Engine) -> None:
    engine.put(event(CLIENT, "InvokeTask", {"task": "a", "key": "🙂" * 64}, "second"))
    assert engine.store.read_run(run_id_of("a", "🙂" * 64)) is not None


def test_text_of_five_emoji_fits_five_characters(engine: Engine) -> None:
    engine.put(invoke(task="p", params={"text": "🙂" * 5}))
    assert codes(engine) == []


def test_detail_that_names_a_task_twice_is_answered_once(engine: Engine) -> None:
    engine.put(event(CLIENT, "InvokeTask", '{"task":"a","task":"p"}', "twice"))
    answers = [
        m for m in engine.published if isinstance(m, RunStateChanged) and m.task in ("a", "p")
    ]
    assert [m.task for m in answers] == ["p"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (2, 0, 1), (1, 2, 0, 2, 1)])
def test_updates_in_any_order_complete_the_task(order: tuple[int, ...], engine: Engine) -> None:
    updates = [
        event(
            server_source("s"),
            "TaskStateChanged",
            {"server": "s", "run_id": RUN, "task": "a", "attempt": 1, "state": state},
            f"update {state}",
        )
        for state in ("queued", "started", "completed")
    ]
    for index in order:
        engine.put(updates[index])
    assert engine.store.read_page(RUN, 0)[0].is_completed
    assert commands(engine) == [("a", 1), ("b", 1)]


def test_cancel_and_retry_with_one_id_are_both_answered(engine: Engine) -> None:
    for kind in ("CancelRun", "RetryRun"):
        engine.put(event(CLIENT, kind, {"run_id": RUN, "command_id": "c"}, f"the {kind}"))
    cancelled = [m for m in engine.published if isinstance(m, RunStateChanged) and m.meta]
    assert [m.meta.cause for m in cancelled if m.meta][-1] == "the CancelRun"
    assert codes(engine) == ["run_cancelled"]


@pytest.mark.parametrize("late", ["started", "completed", "error"])
def test_late_answer_of_cancelled_run_changes_nothing(late: str, engine: Engine) -> None:
    engine.put(event(CLIENT, "CancelRun", {"run_id": RUN, "command_id": "c"}, "cancel"))
    before = engine.store.read_page(RUN, 0)[0]
    engine.put(update(state=late))
    after = engine.store.read_page(RUN, 0)[0]
    assert (after.rank, after.attempt, after.output) == (before.rank, 1, None)
    assert commands(engine) == [("a", 1)]


@pytest.mark.parametrize("make", [CancelRun, RetryRun, InvokeTask], ids=lambda kind: kind.__name__)
def test_command_repeated_a_hundred_times_acts_once(
    make: Callable[..., Message], engine: Engine
) -> None:
    finish(engine)
    detail = {"task": "b", "key": "k"} if make is InvokeTask else {"run_id": RUN, "command_id": "c"}
    for _ in range(100):
        engine.put(event(CLIENT, make.__name__, detail, "again"))
    ids = [m.meta.id for m in engine.published if m.meta and m.meta.cause == "again"]
    assert len(set(ids)) == 1
    assert commands(engine) == [("a", 1), ("b", 1)]

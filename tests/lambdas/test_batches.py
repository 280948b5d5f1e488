"""Lambda handlers that are fed by a queue: the outcome of a batch."""

import json
from typing import Any

import pytest

from cerebro.core.run.fan_out import PART_MAX_S
from cerebro.lambdas.runtime import ANSWER_MAX_S, EFFECT_MIN_MS, MESSAGE_MIN_MS, on_queue
from cerebro.lambdas.sweeper import MIN_REMAINING_MS
from cerebro.lambdas.wiring import CALL_MAX_S
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from lambdas.fake_runtime import NOON, SERVER, Context, FakeRuntime, batch, metrics_in, names_of


def an_invocation(fake: FakeRuntime, task: str = "x") -> str:
    return fake.sealed(InvokeTask(task=task, key="k"), CLIENT)


def an_update(fake: FakeRuntime, state: str, task: str = "x") -> str:
    meta = meta_at(fake.now, f"{task} {state}")
    update = TaskStateChanged(
        server=SERVER, run_id=run_id_of("x", "k"), task=task, attempt=1, state=state, meta=meta
    )
    return fake.sealed(update, server_source(SERVER), f"{task} {state}")


def test_batch_with_all_effects_done_is_acknowledged() -> None:
    fake = FakeRuntime()
    handler = on_queue("planner", fake.build)

    answer = handler(batch(fake.declared("x"), an_invocation(fake)), Context())

    assert answer == {"batchItemFailures": []}
    assert names_of(fake.bus.published) == [
        "GraphChanged",
        "DeclarationAccepted",
        "RunStateChanged",
        "RunTask",
    ]


def test_runtime_is_built_once_by_the_first_call() -> None:
    fake, built = FakeRuntime(), []

    def build(name: str) -> object:
        built.append(name)
        return fake.runtime

    handler = on_queue("tracker", build)  # type: ignore[arg-type]
    assert built == []
    handler(batch(), Context())
    handler(batch(), Context())
    assert built == ["tracker"]


def test_message_that_fails_is_redelivered_alone() -> None:
    fake = FakeRuntime()
    handler = on_queue("planner", fake.build)
    handler(batch(fake.declared("x", "y")), Context())
    # The table fails from now on.
    store: Any = fake.store
    store.read_run = lambda run_id: 1 / 0

    answer = handler(batch(an_invocation(fake), fake.declared("x")), Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert [task.name for task in fake.store.read_graph().declarations[SERVER].tasks] == ["x"]


@pytest.mark.parametrize("deliveries", [1, 4])
def test_failed_message_is_delivered_again_within_seconds(deliveries: int) -> None:
    fake = FakeRuntime()
    fake.store.read_graph = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]

    on_queue("planner", fake.build)(
        batch(an_invocation(fake), "no event at all", deliveries=deliveries), Context()
    )

    assert fake.retries.postponed == [("receipt-0", deliveries)]


def test_message_that_cannot_be_postponed_is_redelivered_later() -> None:
    fake = FakeRuntime()
    fake.store.read_graph = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    fake.retries.fault = OSError("no such queue")

    answer = on_queue("planner", fake.build)(batch(an_invocation(fake)), Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert fake.logged[-1]["message"] == "the retry of a message could not be postponed"


def test_malformed_message_is_dead_lettered_with_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake = FakeRuntime()

    answer = on_queue("tracker", fake.build)(batch("no event at all"), Context())

    assert answer == {"batchItemFailures": []}
    ((body, reason),) = fake.dead.letters
    assert body == "no event at all"
    assert "JSON" in reason
    assert metrics_in(capsys.readouterr().out) == [("DeadLettered", {}, 1)]


@pytest.mark.parametrize(
    "params", ["[" * 5_000 + "]" * 5_000, '"\\ud83d"', "9" * 5_000, '"\n"', "NaN"]
)
def test_command_that_no_parser_reads_is_answered(params: str) -> None:
    """Its batch is answered, too."""
    fake = FakeRuntime()
    body = an_invocation(fake).replace('"params":{}', f'"params":{{"x":{params}}}')
    assert params in body

    answer = on_queue("planner", fake.build)(batch(body, fake.declared("x")), Context())

    assert answer == {"batchItemFailures": []}
    assert names_of(fake.bus.published)[0] == "InvocationRejected"
    assert names_of(fake.bus.published)[-1] == "DeclarationAccepted"
    assert fake.dead.letters == []


def test_malformed_update_is_a_dead_letter_and_counts() -> None:
    fake = FakeRuntime()
    handler = on_queue("tracker", fake.build)
    handler(batch(fake.declared("x"), an_invocation(fake)), Context())
    body = an_update(fake, "completed").replace('"state"', '"output":NaN,"state"')

    assert handler(batch(body), Context()) == {"batchItemFailures": []}

    assert [letter for letter, _ in fake.dead.letters] == [body]
    fact = fake.store.read_task(run_id_of("x", "k"), 0)
    assert fact is not None
    assert fact.reason == "failed_terminal"


@pytest.mark.parametrize("change", [{"detail": {"task": 7}}, {"detail-type": "InvokeTsk"}])
def test_malformed_command_of_a_client_is_no_dead_letter(
    change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeRuntime()
    event = json.loads(an_invocation(fake)) | change

    answer = on_queue("planner", fake.build)(batch(json.dumps(event)), Context())

    assert answer == {"batchItemFailures": []}
    assert names_of(fake.bus.published) == ["InvocationRejected"]
    assert fake.dead.letters == []
    assert metrics_in(capsys.readouterr().out) == []


def test_command_that_raised_is_answered_and_dead_lettered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeRuntime()
    body = an_invocation(fake)

    def overflow(*_: Any) -> None:
        raise OverflowError("too far in the future")

    monkeypatch.setattr("cerebro.core.run.invoke.invocation_key", overflow)
    answer = on_queue("planner", fake.build)(batch(body), Context())

    assert answer == {"batchItemFailures": []}
    assert names_of(fake.bus.published) == ["InvocationRejected"]
    assert fake.dead.letters == [(body, "it raised OverflowError: too far in the future")]


def test_malformed_update_of_a_client_is_dead_lettered() -> None:
    """It is not the typo of a person: no client may send it."""
    fake = FakeRuntime()
    body = json.dumps(json.loads(an_invocation(fake)) | {"detail-type": "TaskStateChanged"})
    on_queue("tracker", fake.build)(batch(body), Context())
    assert [letter for letter, _ in fake.dead.letters] == [body]


@pytest.mark.parametrize("body", ["[]", '{"source": "cordyna.client", "detail-type": "RunTask"}'])
def test_other_malformed_message_is_dead_lettered(body: str) -> None:
    fake = FakeRuntime()
    on_queue("planner", fake.build)(batch(body), Context())
    assert [letter for letter, _ in fake.dead.letters] == [body]


def test_forged_update_is_dead_lettered() -> None:
    fake = FakeRuntime()
    forged = TaskStateChanged(
        server=SERVER, run_id=run_id_of("x", "k"), task="x", attempt=1, state="completed"
    )

    on_queue("tracker", fake.build)(
        batch(fake.sealed(forged, server_source("another-server"))), Context()
    )

    assert "may not send" in fake.dead.letters[0][1]


def test_message_is_redelivered_if_dead_lettering_fails() -> None:
    fake = FakeRuntime()
    fake.dead.fault = OSError("no such queue")

    answer = on_queue("tracker", fake.build)(batch("no event at all"), Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert fake.logged[-1]["message"] == "a message could not be sent to the dead-letter queue"


def test_tick_without_its_time_uses_the_time_sent() -> None:
    fake = FakeRuntime()
    handler = on_queue("timekeeper", fake.build)
    handler(batch(fake.declared("x", cron="* * * * *")), Context())
    tick = json.dumps(
        {"tick": {"task": "x", "nominal": "<aws.scheduler.scheduled-time>"}}, separators=(",", ":")
    )

    handler(batch(tick, sent_at=NOON + 7), Context())

    command = fake.bus.published[-1]
    assert isinstance(command, InvokeTask)
    assert command.scheduled_at is not None
    assert command.scheduled_at.timestamp() == NOON


@pytest.mark.parametrize(
    ("body", "run"),
    [
        (
            '{"detail":{"run_id": "0123456789ABCDEFGHJKMNPQRS"}, broken',
            "0123456789ABCDEFGHJKMNPQRS",
        ),
        ('{"detail-type":"InvokeTask", broken', None),
        ("broken", None),
    ],
)
def test_dead_letter_is_logged_with_its_run_if_known(body: str, run: str | None) -> None:
    fake = FakeRuntime()

    on_queue("tracker", fake.build)(batch(body), Context())

    assert fake.logged[-1].get("correlation_id") == run


def test_what_follows_a_batch_is_logged_without_a_run() -> None:
    fake = FakeRuntime()
    fake.store.read_graph = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    fake.retries.fault = OSError("no such queue")
    dead = f'{{"detail": {{"run_id": "{run_id_of("x", "k")}"}}, broken'

    on_queue("planner", fake.build)(batch(an_invocation(fake), dead), Context())

    assert fake.logged[-2].get("correlation_id") == run_id_of("x", "k")
    assert fake.logged[-1]["message"] == "the retry of a message could not be postponed"
    assert fake.logged[-1].get("correlation_id") is None


def test_invocation_is_logged_with_the_run_it_creates() -> None:
    fake = FakeRuntime()
    event = json.loads(an_invocation(fake))
    event["source"] = "example.unknown"

    on_queue("planner", fake.build)(batch(json.dumps(event)), Context())

    assert fake.logged[-1]["correlation_id"] == run_id_of("x", "k", "example.unknown")


def test_duplicate_deliveries_are_counted_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake = FakeRuntime()
    handler = on_queue("tracker", fake.build)
    handler(batch(fake.declared("x"), an_invocation(fake), an_invocation(fake)), Context())
    fake.now += 0.25
    started = an_update(fake, "started")
    fake.now += 2
    handler(
        batch(started, started, an_update(fake, "completed"), an_update(fake, "completed")),
        Context(),
    )

    counted = metrics_in(capsys.readouterr().out)

    assert sorted(counted, key=str) == [
        ("AckLatency", {"server": SERVER}, 250.0),
        ("RunsCompleted", {}, 1),
        ("RunsStarted", {}, 1),
        ("TasksCompleted", {}, 1),
    ]


def test_batch_without_time_is_delivered_again_unhandled() -> None:
    """A function that is killed would have its messages delivered minutes later."""
    fake = FakeRuntime()
    answer = on_queue("registry", fake.build)(
        batch(fake.declared("x"), "no event at all"), Context(MESSAGE_MIN_MS)
    )
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": "message-0"}, {"itemIdentifier": "message-1"}]
    }
    assert (fake.dead.letters, fake.bus.published) == ([], [])
    assert len(fake.retries.postponed) == 2


@pytest.mark.parametrize("calls", range(1, 14))
def test_message_that_takes_too_long_is_given_up(calls: int) -> None:
    """The rest of its batch is answered, and the next delivery does what is left."""
    fake = FakeRuntime()
    handler = on_queue("planner", fake.build)
    handler(batch(fake.declared("x")), Context())

    class SlowCalls(Context):
        def get_remaining_time_in_millis(self) -> int:
            nonlocal calls
            calls -= 1
            return 60_000 if calls >= 0 else EFFECT_MIN_MS - 1

    answer = handler(batch(an_invocation(fake), fake.declared("x", "y")), SlowCalls())

    assert answer == {
        "batchItemFailures": [{"itemIdentifier": "message-0"}, {"itemIdentifier": "message-1"}]
    }
    assert [receipt for receipt, _ in fake.retries.postponed] == ["receipt-0", "receipt-1"]
    assert list(fake.store.read_graph().tasks) == ["x"]
    handler(batch(an_invocation(fake)), Context())
    assert {command.task for command in fake.commands} == {"x"}


def test_message_that_is_begun_may_use_the_time_that_is_kept() -> None:
    """None is begun any more while it is handled, and it is not given up."""
    fake = FakeRuntime()

    class UsedUp(Context):
        def get_remaining_time_in_millis(self) -> int:
            before, self.milliseconds = self.milliseconds, EFFECT_MIN_MS
            return before

    answer = on_queue("registry", fake.build)(
        batch(fake.declared("x"), fake.declared("y")), UsedUp(MESSAGE_MIN_MS + 1)
    )

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert list(fake.store.read_graph().tasks) == ["x"]


def test_time_that_is_kept_suffices_for_slow_calls() -> None:
    """Of the last task and group of a part, and of the answer to a batch (docs/limits.md)."""
    last_calls, answer_calls = 2 + 8 + 10, 10
    assert PART_MAX_S + last_calls * 0.3 <= (MESSAGE_MIN_MS - EFFECT_MIN_MS) / 1000
    assert answer_calls * 0.2 <= ANSWER_MAX_S


def test_call_without_answer_ends_in_the_time_that_is_kept() -> None:
    """With all its tries: then the batch is answered, or the sweep ends."""
    assert CALL_MAX_S + ANSWER_MAX_S <= EFFECT_MIN_MS / 1000
    assert CALL_MAX_S < MIN_REMAINING_MS / 1000

"""The Lambdas that have a queue: what becomes of a batch."""

import json

import pytest

from cerebro.lambdas.runtime import on_queue
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from entry.surroundings import NOON, SERVER, Context, Surroundings, batch, metrics_in, names_of


def an_invocation(here: Surroundings, task: str = "x") -> str:
    return here.sealed(InvokeTask(task=task, key="k"), CLIENT)


def said(here: Surroundings, state: str, task: str = "x") -> str:
    meta = meta_at(here.now, f"{task} {state}")
    update = TaskStateChanged(
        server=SERVER, run_id=run_id_of("x", "k"), task=task, attempt=1, state=state, meta=meta
    )
    return here.sealed(update, server_source(SERVER), f"{task} {state}")


def test_a_batch_is_acknowledged_when_all_its_effects_are_done() -> None:
    here = Surroundings()
    handler = on_queue("planner", here.make)

    answer = handler(batch(here.declared("x"), an_invocation(here)), Context())

    assert answer == {"batchItemFailures": []}
    assert names_of(here.bus.published) == ["DeclarationAccepted", "RunStateChanged", "RunTask"]


def test_what_is_needed_is_made_once_and_not_before_the_first_call() -> None:
    here, made = Surroundings(), []

    def make(name: str) -> object:
        made.append(name)
        return here.face

    handler = on_queue("tracker", make)  # type: ignore[arg-type]
    assert made == []
    handler(batch(), Context())
    handler(batch(), Context())
    assert made == ["tracker"]


def test_a_message_that_fails_for_now_is_delivered_again_and_holds_up_no_other() -> None:
    here = Surroundings()
    handler = on_queue("planner", here.make)
    handler(batch(here.declared("x", "y")), Context())
    # The table answers no more.
    here.store.read_run = lambda run_id: 1 / 0  # type: ignore[method-assign,assignment,return-value]

    answer = handler(batch(an_invocation(here), here.declared("x")), Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert [task.name for task in here.store.read_graph().declarations[SERVER].tasks] == ["x"]


def test_a_message_that_can_never_be_handled_goes_to_the_dead_letters_with_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = Surroundings()

    answer = on_queue("tracker", here.make)(batch("no event at all"), Context())

    assert answer == {"batchItemFailures": []}
    ((body, reason),) = here.dead.letters
    assert body == "no event at all"
    assert "JSON" in reason
    assert metrics_in(capsys.readouterr().out) == [("DeadLettered", {}, 1)]


def test_a_forged_update_goes_to_the_dead_letters() -> None:
    here = Surroundings()
    forged = TaskStateChanged(
        server=SERVER, run_id=run_id_of("x", "k"), task="x", attempt=1, state="completed"
    )

    on_queue("tracker", here.make)(
        batch(here.sealed(forged, server_source("another-server"))), Context()
    )

    assert "may not say" in here.dead.letters[0][1]


def test_a_message_that_cannot_even_be_buried_comes_again() -> None:
    here = Surroundings()
    here.dead.fault = OSError("no such queue")

    answer = on_queue("tracker", here.make)(batch("no event at all"), Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert here.logged[-1]["message"] == "a message could not be buried"


def test_a_tick_without_its_time_takes_that_at_which_it_was_sent() -> None:
    here = Surroundings()
    handler = on_queue("timekeeper", here.make)
    handler(batch(here.declared("x", cron="* * * * *")), Context())
    tick = json.dumps(
        {"tick": {"task": "x", "nominal": "<aws.scheduler.scheduled-time>"}}, separators=(",", ":")
    )

    handler(batch(tick, sent_at=NOON + 7), Context())

    command = here.bus.published[-1]
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
def test_a_buried_message_is_logged_under_its_run_as_far_as_it_is_known(
    body: str, run: str | None
) -> None:
    here = Surroundings()

    on_queue("tracker", here.make)(batch(body), Context())

    assert here.logged[-1].get("correlation_id") == run


def test_an_invocation_is_logged_under_the_run_that_it_makes() -> None:
    here = Surroundings()
    event = json.loads(an_invocation(here))
    event["source"] = "somebody.else"

    on_queue("planner", here.make)(batch(json.dumps(event)), Context())

    assert here.logged[-1]["correlation_id"] == run_id_of("x", "k")


def test_what_happens_is_counted_once_however_often_it_is_delivered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = Surroundings()
    handler = on_queue("tracker", here.make)
    handler(batch(here.declared("x"), an_invocation(here), an_invocation(here)), Context())
    here.now += 0.25
    started = said(here, "started")
    here.now += 2
    handler(batch(started, started, said(here, "completed"), said(here, "completed")), Context())

    counted = metrics_in(capsys.readouterr().out)

    assert sorted(counted, key=str) == [
        ("AckLatency", {"server": SERVER}, 250.0),
        ("RunsCompleted", {}, 1),
        ("RunsStarted", {}, 1),
        ("TasksCompleted", {}, 1),
    ]

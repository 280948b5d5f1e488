"""One message cannot stop the driver: it is repeated, becomes a dead letter, and is answered."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cerebro.core.internal_messages import FanOut, PageTimer
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.runtime import failed_items, item_handler
from cerebro.embedded.runtime.failed_items import TRIES_MAX
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import DiskHome, Home, MemoryHome
from cerebro.handlers.receive import perform_one
from cerebro.ports import DamagedItem
from cordyna_core import TaskServer
from cordyna_core.contract.commands import Command, InvokeTask
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source
from cordyna_core.contract.registry import MESSAGES
from cordyna_core.contract.state_updates import InvocationRejected, RunStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.errors import ServiceError
from world.declarations import declared

NOW = 1_800_000_000.0


@pytest.fixture(params=["memory", "disk"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    return MemoryHome() if request.param == "memory" else DiskHome(tmp_path)


@pytest.fixture
def loop(home: Home) -> MessageLoop:
    loop = MessageLoop(home, lambda: NOW, to_server=lambda command, event: None)
    event = seal(declared("s", "a"), server_source("s"), "declared", utc(NOW))
    assert loop.declare([event]) == []
    return loop


def invocation(event_id: str, task: str = "a") -> str:
    return seal(InvokeTask(task=task), CLIENT, event_id, utc(NOW))


def fail_on(monkeypatch: pytest.MonkeyPatch, *texts: str, times: int = 1000) -> list[str]:
    """Let processing raise for messages with one of the texts. Returns what was processed."""
    processed: list[str] = []
    failed: list[Any] = []

    def performed(message: Any, ports: Any) -> None:
        processed.append(str(message))
        if any(text in str(message) for text in texts) and len(failed) < times:
            failed.append(message)
            raise ZeroDivisionError("a fault of ours")
        perform_one(message, ports)

    monkeypatch.setattr(item_handler, "perform_one", performed)
    return processed


def settle(loop: MessageLoop) -> None:
    while loop.step():
        pass


def messages_of(home: Home, detail_type: str) -> list[dict[str, Any]]:
    events = [json.loads(event.text) for event in home.event_log.events(None, 0)]
    return [event["detail"] for event in events if event["detail-type"] == detail_type]


def test_message_that_fails_three_times_is_a_dead_letter(
    home: Home, loop: MessageLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    processed = fail_on(monkeypatch, "poison")
    for event_id in ("before", "poison", "after"):
        loop.put(invocation(event_id))

    settle(loop)

    ((event, reason),) = home.event_log.dead_letters()
    assert json.loads(event)["id"] == "poison"
    assert reason == "failed 3 times: ZeroDivisionError: a fault of ours"
    assert sum("poison" in each for each in processed) == TRIES_MAX
    assert len(home.store.runs(10)) == 2


def test_sender_of_a_dead_letter_is_answered(
    home: Home, loop: MessageLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on(monkeypatch, "poison")
    loop.put(invocation("poison"))

    settle(loop)

    (rejected,) = messages_of(home, InvocationRejected.__name__)
    assert rejected["event_id"] == "poison"
    assert [problem["code"] for problem in rejected["problems"]] == ["not_handled"]
    assert "a fault of ours" in rejected["problems"][0]["message"]


def test_message_that_fails_once_is_processed_once(
    home: Home, loop: MessageLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on(monkeypatch, "shaky", times=1)
    for event_id in ("before", "shaky", "after"):
        loop.put(invocation(event_id))

    settle(loop)

    assert home.event_log.dead_letters() == []
    assert len(home.store.runs(10)) == 3
    assert len(messages_of(home, InvokeTask.__name__)) == 3
    started = messages_of(home, RunStateChanged.__name__)
    assert len({detail["run_id"] for detail in started}) == len(started) == 3


def test_poison_in_the_inbox_is_removed_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = DiskHome(tmp_path)
    loop = MessageLoop(home, lambda: NOW, to_server=lambda command, event: None)
    fail_on(monkeypatch, "poison")
    home.event_log.put_inbox([invocation("first"), invocation("poison"), invocation("last")])

    while home.event_log.has_inbox():
        loop.step(inbox=True)

    assert [json.loads(event)["id"] for event, _ in home.event_log.dead_letters()] == ["poison"]
    assert len(messages_of(home, InvokeTask.__name__)) == 3


def test_poison_of_cerebros_own_is_one_dead_letter_per_page(
    home: Home, loop: MessageLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on(monkeypatch, "PageTimer", "FanOut")
    for due in (NOW - 2, NOW - 1):
        loop.send_page_timer(PageTimer("R" * 26, 0, due))
    loop.send_fan_out(FanOut("R" * 26, None, 0, "cause"))

    settle(loop)

    texts = [json.loads(event) for event, _ in home.event_log.dead_letters()]
    assert sorted(next(iter(text)) for text in texts) == ["ring", "walk"]


def test_dead_letter_whose_sender_cannot_be_answered_is_kept(
    home: Home, loop: MessageLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on(monkeypatch, "poison")

    def unanswerable(*_: object) -> None:
        raise ValueError("no answer possible")

    monkeypatch.setattr(failed_items, "answer_malformed", unanswerable)
    loop.put(invocation("poison"))

    settle(loop)

    ((_, reason),) = home.event_log.dead_letters()
    assert "its sender could not be answered: no answer possible" in reason


def test_fault_of_the_home_is_raised_and_nothing_is_lost(
    home: Home, loop: MessageLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ServiceError("the disk is full")

    loop.put(invocation("one"))
    with monkeypatch.context() as patch:
        patch.setattr(item_handler, "perform_one", full)
        with pytest.raises(ServiceError, match="full"):
            loop.step()

    settle(loop)
    assert len(home.store.runs(10)) == 1
    assert home.event_log.dead_letters() == []


def test_damaged_row_is_a_fault_of_its_message(
    home: Home, loop: MessageLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise DamagedItem("row R of table runs is damaged.")

    loop.put(invocation("one"))
    with monkeypatch.context() as patch:
        patch.setattr(item_handler, "perform_one", damaged)
        settle(loop)

    ((_, reason),) = home.event_log.dead_letters()
    assert "row R of table runs" in reason


def test_command_that_cannot_be_delivered_is_a_dead_letter(home: Home) -> None:
    def broken(command: Command, event: str) -> None:
        raise OSError("no such server")

    loop = MessageLoop(home, lambda: NOW, to_server=broken)
    loop.declare([seal(declared("s", "a"), server_source("s"), "declared", utc(NOW))])
    loop.put(invocation("one"))

    settle(loop)

    ((event, reason),) = home.event_log.dead_letters()
    assert json.loads(event)["detail-type"] == "RunTask"
    assert "no such server" in reason


@pytest.mark.parametrize(
    "detail",
    [
        '{"task":"a","scheduled_at":"9999-12-31T23:59:59-23:59"}',
        '{"task":"a","scheduled_at":"0001-01-01T00:00:00+23:59"}',
        '{"task":"a","params":{"n":NaN}}',
        '{"task":"a","params":{"n":1e999}}',
        '{"task":"a","params":{"n":' + "9" * 5000 + "}}",
        '{"task":"a","params":{"n":' + "[" * 400 + "]" * 400 + "}}",
        '{"task":"a","key":"' + "k" * 100_000 + '"}',
        '{"task":"a","key":"\\ud800"}',
        '{"task":"' + "x" * 1_000_000 + '"}',
        '{"task":"a","labels":{"' + "\\u0000" * 300 + '":"x"}}',
    ],
)
def test_driver_survives_any_event_of_another_process(tmp_path: Path, detail: str) -> None:
    server = TaskServer("s")
    server.task(name="a")(lambda: 1)
    for event_id in ("1", "x" * 300):
        head = f'"id":"{event_id}","source":"cordyna.client","detail-type":"InvokeTask"'
        line = f'{{{head},"detail":{detail}}}'
        with EmbeddedEngine(DiskHome(tmp_path), [server]) as engine:
            engine.send([line])
            assert engine.drives
            engine.send(
                ['{"source":"cordyna.client","detail-type":"InvokeTask","detail":{"task":"a"}}']
            )
            engine.stay_up(lambda: not engine.driven_runs())
            assert [run.state for run in engine.runs(1)] == ["completed"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)

FIELDS = (
    *("task", "server", "run_id", "attempt", "state", "params", "key", "labels", "scheduled_at"),
    *("tasks", "meta", "output", "error", "from", "command_id"),
)
DETAILS = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(MESSAGES)),
    st.sampled_from([CLIENT, "cordyna.server.s", "cordyna.cerebro", "", "other"]),
    DETAILS | JSON,
)
def test_loop_survives_any_json(detail_type: str, source: str, detail: Any) -> None:
    home = MemoryHome()
    loop = MessageLoop(home, lambda: NOW, to_server=lambda command, event: None)
    loop.declare([seal(declared("s", "a"), server_source("s"), "declared", utc(NOW))])
    envelope = {"id": "e", "source": source, "detail-type": detail_type, "detail": detail}
    loop.put(json.dumps({**envelope, "time": "2027-01-15T08:00:00Z"}))
    loop.put(invocation("afterwards"))

    settle(loop)

    assert loop.is_idle
    assert home.store.read_run(run_id_of("a", "afterwards")) is not None


@given(st.text(max_size=200))
def test_loop_survives_any_text(text: str) -> None:
    home = MemoryHome()
    loop = MessageLoop(home, lambda: NOW, to_server=lambda command, event: None)
    loop.put(text)

    settle(loop)

    assert [event for event, _ in home.event_log.dead_letters()] == [text]

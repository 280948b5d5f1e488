"""Alerts of a home: delivered to a webhook or a command, tried again, and dead letters at last."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from cerebro.embedded.alerts import sender as sender_module
from cerebro.embedded.alerts.dead_letters import dead_alert_queues, purge_alerts, redrive_alerts
from cerebro.embedded.alerts.delivery import DeliveryFailed, deliver
from cerebro.embedded.alerts.outbox import dead_alerts
from cerebro.embedded.alerts.sender import TRIES_MAX, AlertSender, message_of
from cerebro.embedded.storage.home import Home, open_home
from contract.golden_messages import golden
from cordyna_cli.engine import AlertTarget
from cordyna_core.contract.incidents import IncidentMessage
from cordyna_core.errors import NotFound, ServiceError

OPENED = json.dumps(golden("IncidentOpened"))
"""Of task-1, whose owner is team-a; task-3 of team-b waits for it."""

HOOK = AlertTarget(webhook="https://hooks.example.org")


def the_message() -> IncidentMessage:
    message = message_of(OPENED)
    assert message is not None
    return message


class Recorder:
    """Takes alerts; fails as long as it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[AlertTarget, str | None, bool]] = []
        self.fault = ""
        self.unforeseen: Exception | None = None

    def __call__(self, target: AlertTarget, message: Any, *, is_waiting: bool) -> None:
        if self.fault:
            raise DeliveryFailed(self.fault)
        if self.unforeseen is not None:
            raise self.unforeseen
        self.sent.append((target, message.task, is_waiting))


class Alerting:
    """A home with a sender whose clock a test sets."""

    def __init__(self, home: Home, *owners: str) -> None:
        self.home, self.now, self.recorder = home, 1000.0, Recorder()
        self.sender = AlertSender(
            home,
            threading.RLock(),
            lambda: self.now,
            dict.fromkeys(owners, HOOK),
            self.recorder,
        )
        with home.transaction():
            home.alerts.set_cursor(home.event_log.last_seq())

    def happens(self, event: str = OPENED) -> None:
        with self.home.transaction():
            self.home.event_log.append(None, event, self.now)
        self.sender.step()

    def step_after(self, seconds: float) -> None:
        self.now += seconds
        self.sender.step()


@pytest.fixture(params=["memory", "disk"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    opened = open_home(None if request.param == "memory" else tmp_path / "home")
    yield opened
    opened.close()


def test_owner_and_who_waits_get_one_alert_each(home: Home) -> None:
    alerting = Alerting(home, "team-a", "team-b")
    alerting.happens()
    assert alerting.recorder.sent == [(HOOK, "task-1", False), (HOOK, "task-1", True)]
    alerting.step_after(60)
    assert len(alerting.recorder.sent) == 2


def test_every_other_owner_is_the_star_and_only_as_owner(home: Home) -> None:
    alerting = Alerting(home, "*")
    alerting.happens()
    assert alerting.recorder.sent == [(HOOK, "task-1", False)]


def test_owner_without_a_target_gets_none(home: Home) -> None:
    alerting = Alerting(home, "team-z")
    alerting.happens()
    assert alerting.recorder.sent == []


@pytest.mark.parametrize(
    "event",
    [
        '{"Incident": "no event"}',
        OPENED.replace("cordyna.cerebro", "cordyna.client"),
        json.dumps(golden("RunStateChanged")),
    ],
)
def test_what_cerebro_did_not_publish_is_no_alert(home: Home, event: str) -> None:
    alerting = Alerting(home, "*")
    alerting.happens(event)
    assert alerting.recorder.sent == []


def test_failed_delivery_is_tried_again_after_a_pause(home: Home) -> None:
    alerting = Alerting(home, "team-a")
    alerting.recorder.fault = "the webhook answered 503"
    alerting.happens()
    alerting.recorder.fault = ""
    alerting.step_after(9)
    assert alerting.recorder.sent == []
    alerting.step_after(2)
    assert len(alerting.recorder.sent) == 1
    assert home.alerts.alerts() == []


def test_failed_delivery_is_tried_for_over_an_hour_and_a_half(home: Home) -> None:
    """docs/how-to/alerts.md promises it: a chat that is down for an hour loses no alert."""
    alerting = Alerting(home, "team-a")
    alerting.recorder.fault = "the webhook answered 503"
    alerting.happens()
    while dead_alerts(home.alerts) == []:
        (alert,) = home.alerts.alerts()
        assert alert.due is not None
        last = alert.due
        alerting.step_after(alert.due - alerting.now)
    assert 90 * 60 < last - 1000 < 110 * 60


def test_failure_that_nothing_foresaw_stops_no_other_alert(home: Home) -> None:
    alerting = Alerting(home, "team-a")
    alerting.recorder.unforeseen = RecursionError("too deep")
    alerting.happens()
    alerting.recorder.unforeseen = None
    (alert,) = home.alerts.alerts()
    assert alert.reason == "RecursionError was raised"
    alerting.step_after(11)
    assert len(alerting.recorder.sent) == 1


def exhausted(home: Home) -> Alerting:
    alerting = Alerting(home, "team-a")
    alerting.recorder.fault = "the webhook answered 410"
    alerting.happens()
    for _ in range(TRIES_MAX):
        alerting.step_after(1900)
    return alerting


def test_alert_that_keeps_failing_is_a_dead_letter(home: Home) -> None:
    exhausted(home)
    (queue,) = dead_alert_queues(home)
    assert (queue.name, queue.messages, queue.back_to) == ("alerts", 1, "alerts")
    assert queue.letters[0].reason == "the webhook answered 410"
    assert queue.samples[0].startswith("to team-a: the webhook answered 410: ")


def test_redriven_alert_is_delivered(home: Home) -> None:
    alerting = exhausted(home)
    alerting.recorder.fault = ""
    (alert,) = dead_alerts(home.alerts)
    with pytest.raises(NotFound):
        redrive_alerts(home, ["77"])
    with home.transaction():
        assert redrive_alerts(home, [str(alert.number)]) == 1
    alerting.sender.step()
    assert len(alerting.recorder.sent) == 1
    assert dead_alert_queues(home) == []


def test_purged_alerts_are_gone(home: Home) -> None:
    exhausted(home)
    with home.transaction():
        assert purge_alerts(home) == 1
    assert home.alerts.alerts() == []


def test_alert_of_a_killed_engine_is_sent_by_the_next(tmp_path: Path) -> None:
    first = open_home(tmp_path / "home")
    alerting = Alerting(first, "team-a")
    alerting.recorder.fault = "killed"
    alerting.happens()
    first.close()
    second = open_home(tmp_path / "home")
    next_one = Alerting(second, "team-a")
    next_one.step_after(60)
    assert len(next_one.recorder.sent) == 1
    second.close()


def test_sender_starts_with_what_happens_from_now_on(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "POLL_S", 0.0)
    recorder = Recorder()
    with home.transaction():
        home.event_log.append(None, OPENED, 0.0)
    lock = threading.RLock()
    sender = AlertSender(home, lock, lambda: 1.0, {"team-a": HOOK}, recorder)
    sender.start()
    with lock, home.transaction():
        home.event_log.append(None, OPENED.replace("task-1", "task-9"), 0.0)
    sender.stop(within_s=10.0)
    assert [task for _, task, _ in recorder.sent] == ["task-9"]


def test_sender_without_targets_starts_nothing(home: Home) -> None:
    sender = AlertSender(home, threading.RLock(), lambda: 0.0, {})
    sender.start()
    sender.stop(within_s=0.0)
    assert home.alerts.cursor() is None


def test_home_that_fails_delays_alerts_and_no_more(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender_module, "POLL_S", 0.0)
    sender = AlertSender(home, threading.RLock(), lambda: 0.0, {"*": HOOK}, Recorder())

    def fail() -> None:
        raise ServiceError("the disk is full.", next="free some space")

    monkeypatch.setattr(sender, "step", fail)
    sender.start()
    sender.stop(within_s=10.0)
    assert "alerts wait: the disk is full." in caplog.text


# --- delivery -------------------------------------------------------------------------------------
@contextmanager
def a_receiver(status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """A web server on this machine, and what it received."""
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None: ...  # noqa: A002

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/secret-path", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_webhook_gets_the_event_as_json() -> None:
    with a_receiver() as (address, received):
        deliver(AlertTarget(webhook=address), the_message(), is_waiting=False)
    (body,) = received
    assert (body["event"], body["waiting"]) == ("IncidentOpened", False)
    assert body["detail"]["summary"] == "task-1 failed (2 times): ValueError: no such day"


def test_webhook_of_slack_gets_a_text_and_the_next_command() -> None:
    with a_receiver() as (address, received):
        target = AlertTarget(webhook=address, format="slack")
        deliver(target, the_message(), is_waiting=False)
        deliver(target, the_message(), is_waiting=True)
    own, waiting = received
    assert own["text"].endswith("task-1`")
    assert waiting == {"text": the_message().summary_for_blocked}


def test_webhook_of_teams_gets_a_card_without_empty_facts() -> None:
    message = the_message().model_copy(update={"owner": None})
    with a_receiver() as (address, received):
        deliver(AlertTarget(webhook=address, format="teams"), message, is_waiting=True)
    (card,) = received[0]["attachments"]
    text, facts = card["content"]["body"]
    assert text["text"] == message.summary_for_blocked
    assert facts["facts"] == [{"title": "server", "value": "task-server-a"}]


def test_webhook_may_be_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_receiver() as (address, received):
        monkeypatch.setenv("HOOK", address)
        deliver(AlertTarget(webhook="env:HOOK"), the_message(), is_waiting=False)
    assert len(received) == 1
    monkeypatch.delenv("HOOK")
    with pytest.raises(DeliveryFailed, match="HOOK of the webhook is not set"):
        deliver(AlertTarget(webhook="env:HOOK"), the_message(), is_waiting=False)


def test_webhook_that_refuses_fails_without_its_address() -> None:
    with a_receiver(503) as (address, _), pytest.raises(DeliveryFailed) as failed:
        deliver(AlertTarget(webhook=address), the_message(), is_waiting=False)
    assert "answered 503" in str(failed.value)
    assert "secret-path" not in str(failed.value)


def test_webhook_that_is_not_reached_fails() -> None:
    with a_receiver() as (address, _):
        pass
    with pytest.raises(DeliveryFailed, match="was not reached"):
        deliver(AlertTarget(webhook=address), the_message(), is_waiting=False)


def test_command_gets_the_alert_and_its_line(tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = "os.environ['CORDYNA_ALERT'] + sys.stdin.read()"
    code = f"import os, sys; open({str(out)!r}, 'w').write({text})"
    target = AlertTarget(command=f'{sys.executable} -c "{code}"')
    deliver(target, the_message(), is_waiting=True)
    assert out.read_text().startswith("waits for team-a; nothing to do")
    assert '"event": "IncidentOpened"' in out.read_text()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (f"{sys.executable} -c 'import sys; sys.exit(\"no phone\")'", "ended with 1: no phone"),
        (f"{sys.executable} -c 'import sys; sys.exit(3)'", "ended with 3: nothing on stderr"),
        ("/no/such/program", "did not run"),
        (f"{sys.executable} -c 'import os; os.write(2, bytes(9)); os._exit(4)'", "ended with 4:"),
    ],
)
def test_command_that_fails_says_why(command: str, reason: str) -> None:
    with pytest.raises(DeliveryFailed, match=reason):
        deliver(AlertTarget(command=command), the_message(), is_waiting=False)

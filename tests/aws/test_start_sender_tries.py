"""Held `started` updates that are not accepted: who tries them again, how often, and when."""

import json
import os
import select
import sys
import threading
from collections.abc import Callable
from itertools import islice
from types import SimpleNamespace
from typing import Any, Final

import pytest

from aws.held_attempt import Endpoint, HeldAttempt, SignallingBus
from cordyna_core import start_hold
from cordyna_core.aws import start_sender_process
from cordyna_core.aws.clients import client, session
from cordyna_core.aws.signed_event import event_signer
from cordyna_core.aws.start_sender import StartSender, _HeldElsewhere
from cordyna_core.aws.start_sender_process import TRIES_MAX, StartSenderProcess
from cordyna_core.testing import an_update

LONG_S: Final = 3600.0
THROTTLED: Final = json.dumps(
    {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "Throttled", "ErrorMessage": "slow down"}]}
)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (THROTTLED, "Throttled: slow down"),
        ("", "HTTPError"),
        ("no", "JSON"),
        ("[]", "AttributeError"),
        ('{"FailedEntryCount": 1}', "KeyError"),
    ],
)
def test_refused_started_is_sent_again(
    endpoint_of: Callable[..., Endpoint],
    sender_of: Callable[..., StartSender],
    caplog: pytest.LogCaptureFixture,
    answer: str,
    why: str,
) -> None:
    endpoint = endpoint_of(answer, answer)  # the same reason twice is logged once
    attempt = HeldAttempt(sender_of()).begin(0.0)
    assert [endpoint.next_state() for _ in range(3)] == ["started"] * 3
    attempt.end_hold()
    assert len(attempt.events) == 1
    failures = [text for text in caplog.messages if "was not sent" in text]
    assert [why in text for text in failures] == [True]


def test_body_that_ends_while_the_bus_refuses_names_its_start(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    endpoint, sender = endpoint_of(*[THROTTLED] * 60), sender_of()
    bus = SignallingBus(failures=sys.maxsize)
    held = HeldAttempt(sender, bus)
    attempt = held.begin(0.0)
    for _ in range(60):
        assert endpoint.next_state() == "started"
    attempt.end_hold()
    bus.failures = 0
    attempt.report("completed")
    assert held.states == [("completed", True)]
    assert endpoint.close() == [], "it is not sent for ever"


def test_what_the_process_cannot_send_is_sent_here(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    endpoint_of(*[THROTTLED] * 60)
    bus = SignallingBus(failures=1)
    held = HeldAttempt(sender_of(), bus)
    attempt = held.begin(0.0)
    assert bus.has_published.wait(30)
    attempt.end_hold()
    attempt.report("completed")
    assert held.states == [("started", False), ("completed", False)]


def test_failure_after_the_end_is_not_tried_again() -> None:
    held = _HeldElsewhere(0.0, an_update("task-1"), lambda: pytest.fail("it is over"))
    held.answer(was_sent=False)
    assert not held.end()
    before = threading.active_count()
    held.retry_here()
    assert threading.active_count() == before


def test_process_forgets_what_is_sent_or_taken_back(
    endpoint_of: Callable[..., Endpoint],
) -> None:
    endpoint = endpoint_of("", "")
    (stdin, to_process), (from_process, stdout) = os.pipe(), os.pipe()
    process = StartSenderProcess(stdin, stdout)
    serving = threading.Thread(target=process.run)
    serving.start()
    sign = event_signer(client("events"), session())
    request = sign({"Detail": json.dumps({"state": "started"})})
    for number, delay_s in ((1, LONG_S), (2, 0.0)):
        asked = {"hold": number, "delay_s": delay_s, "request": request}
        os.write(to_process, json.dumps(asked).encode() + b"\n")
    assert [endpoint.next_state() for _ in range(3)] == ["started"] * 3
    with os.fdopen(from_process) as answers:
        known = [json.loads(answers.readline()) for _ in range(3)]
        os.write(to_process, b'{"take_back": 1}\n{"take_back": 2}\n')
        known.append(json.loads(answers.readline()))
        os.close(to_process)
        serving.join()
    os.close(stdin)
    os.close(stdout)
    assert [next(iter(answer)) for answer in known] == ["ready", "failed", "sent", "taken_back"]
    assert (process._waiting, process._sending) == ({}, {})


def test_bus_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up_after: list[float | None] = []

    def urlopen(*_: Any, timeout: float | None = None, **__: Any) -> Any:
        given_up_after.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    request = {"url": "http://127.0.0.1", "ca_file": "", "body": "{}", "headers": {}}
    assert start_sender_process.post(request) == "TimeoutError: timed out"
    assert given_up_after == [start_sender_process.TIMEOUT_S]


def test_process_stops_what_is_taken_back_between_tries(
    endpoint_of: Callable[..., Endpoint],
) -> None:
    """A reason is answered unless it is the last one; a request may arrive in parts."""
    endpoint = endpoint_of("", THROTTLED, THROTTLED, *[""] * TRIES_MAX)
    (stdin, to_process), (from_process, stdout) = os.pipe(), os.pipe()
    serving = threading.Thread(target=StartSenderProcess(stdin, stdout).run)
    serving.start()
    request = event_signer(client("events"), session())({"Detail": '{"state": "started"}'})
    asked = json.dumps({"hold": 1, "delay_s": 0.01, "request": request}).encode() + b"\n"
    with os.fdopen(from_process) as answers:
        for part in (asked[:50], asked[50:-1], b"\n"):
            while select.select([stdin], [], [], 0)[0]:
                pass  # the part before it was not read yet
            os.write(to_process, part)
        assert [endpoint.next_state() for _ in range(4)] == ["started"] * 4
        known = [json.loads(answers.readline()) for _ in range(4)]
        os.write(to_process, b'{"take_back": 1}\n')
        assert json.loads(answers.readline()) == {"taken_back": 1}
        os.close(to_process)
        serving.join()
    os.close(stdin)
    os.close(stdout)
    reasons = [answer["why"].partition(":")[0] for answer in known[1:]]
    assert reasons == ["HTTPError", "Throttled", "HTTPError"]
    assert len(endpoint.close()) <= 1, "only one was under way"


def test_nothing_is_sent_while_something_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update is due, and before the process looks it was taken back: it may have been frozen."""
    (stdin, to_process), (from_process, stdout) = os.pipe(), os.pipe()
    lines = iter([b'{"hold": 1, "delay_s": 0, "request": {}}\n', b'{"take_back": 1}\n'])

    def late_select(*waited_for: Any) -> Any:
        line = next(lines, None)
        if line is None:
            os.close(to_process)
        else:
            os.write(to_process, line)
        return select.select(*waited_for)

    monkeypatch.setattr(start_sender_process, "select", SimpleNamespace(select=late_select))
    StartSenderProcess(stdin, stdout).run()
    os.close(stdin)
    os.close(stdout)
    with os.fdopen(from_process) as answers:
        assert [json.loads(line) for line in answers] == [{"ready": True}, {"taken_back": 1}]


@pytest.mark.parametrize("delay_s", [0.0, 0.001, 0.3, 1.0, 5.0])
def test_both_processes_pause_alike_between_tries(delay_s: float) -> None:
    pauses = list(start_sender_process.pauses(delay_s))
    assert pauses == list(islice(start_hold.pauses(delay_s), TRIES_MAX))
    assert pauses[0] == delay_s
    assert pauses[-1] == (max(1.0, delay_s) if delay_s else 0)

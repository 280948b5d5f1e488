"""Signed events: what the process of held starts sends, as whom, and to whom."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from aws.certificate import write_certificate
from aws.held_attempt import Endpoint, HeldAttempt, SignallingBus
from cordyna_core.aws import start_sender
from cordyna_core.aws.start_sender import StartSender
from cordyna_core.contract.state_updates import TaskStateChanged


def test_started_that_is_due_is_sent_signed_by_the_process(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    endpoint = endpoint_of()
    held = HeldAttempt(sender_of())
    attempt = held.begin(0.0)
    request = endpoint.next()
    attempt.end_hold()
    attempt.report("completed")
    assert held.states == [("completed", False)]
    assert [getattr(message, "state", "") for message in attempt.events] == ["started", "completed"]
    (entry,) = request["entries"]
    started = TaskStateChanged.model_validate_json(entry["Detail"])
    assert started == attempt.events[0]
    headers = {name.lower(): value for name, value in request["headers"].items()}
    assert headers["x-amz-target"] == "AWSEvents.PutEvents"
    assert headers["x-amz-security-token"] == "the-token"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=testing/")
    assert "/eu-west-1/events/aws4_request" in headers["authorization"]


def test_started_is_sent_by_tls_to_whom_the_bundle_names(
    endpoint_of: Callable[..., Endpoint],
    sender_of: Callable[..., StartSender],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    pem = write_certificate(tmp_path / "pem")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(pem))
    endpoint = endpoint_of(pem=pem)
    attempt = HeldAttempt(sender_of()).begin(0.0)
    assert endpoint.next_state() == "started"
    attempt.end_hold()
    assert len(attempt.events) == 1


def test_started_is_not_sent_to_an_unknown_certificate(
    endpoint_of: Callable[..., Endpoint],
    sender_of: Callable[..., StartSender],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(write_certificate(tmp_path / "other")))
    endpoint, logged = endpoint_of(pem=write_certificate(tmp_path / "pem")), threading.Event()
    texts: list[str] = []

    def warn(text: str, *why: object, **_: object) -> None:
        texts.append(text % why)
        logged.set()

    monkeypatch.setattr(start_sender._log, "warning", warn)
    bus = SignallingBus(failures=sys.maxsize)
    held = HeldAttempt(sender_of(), bus)
    attempt = held.begin(0.0)
    assert logged.wait(30)
    attempt.end_hold()
    bus.failures = 0
    attempt.report("completed")
    assert sum("CERTIFICATE_VERIFY_FAILED" in text for text in texts) == 1
    assert (held.states, endpoint.close()) == ([("completed", True)], [])

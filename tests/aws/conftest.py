"""Fixtures of the tests of held starts: an EventBridge in a process of its own, and senders."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from aws.held_attempt import Endpoint
from cordyna_core.aws.clients import client, session
from cordyna_core.aws.eventbridge import EventBridgeBus
from cordyna_core.aws.signed_event import event_signer
from cordyna_core.aws.start_sender import PROGRAM, StartSender

FOLDER: Final = Path(__file__).parent


@pytest.fixture
def endpoint_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Endpoint]]:
    """Starts an endpoint that answers as given; it is the process's EventBridge.

    With `pem`, a certificate, it speaks TLS.
    """
    begun: list[Endpoint] = []

    def begin(*answers: str, pem: Path | None = None) -> Endpoint:
        read_end, write_end = os.pipe()
        process = subprocess.Popen(
            [sys.executable, FOLDER / "event_endpoint.py", str(write_end), *answers],
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[write_end],
            env=os.environ | ({"PEM": str(pem)} if pem else {}),
        )
        os.close(write_end)
        assert process.stdout is not None
        url = f"{'https' if pem else 'http'}://127.0.0.1:{int(process.stdout.readline())}"
        begun.append(Endpoint(url, read_end, process))
        environ = {"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-west-1"}
        keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")
        for name, value in (environ | keys | {"AWS_SESSION_TOKEN": "the-token"}).items():
            monkeypatch.setenv(name, value)
        client.cache_clear()
        session.cache_clear()
        return begun[-1]

    yield begin
    for endpoint in begun:
        endpoint.close()
    client.cache_clear()
    session.cache_clear()


@pytest.fixture
def sender_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., StartSender]]:
    """Returns a sender with its process, which has answered if it is cordyna's."""
    begun: list[StartSender] = []

    def begin(program: Sequence[str] = PROGRAM) -> StartSender:
        events = client("events")
        bus, sign = EventBridgeBus(events, bus="b", source="s"), event_signer(events, session())
        sender = StartSender(lambda started: sign(bus.entry_of(started)), program)
        begun.append(sender)
        sender.start()
        assert program is not PROGRAM or sender.ready.wait(30)
        return sender

    yield begin
    for sender in begun:
        sender.close()

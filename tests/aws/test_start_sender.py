"""The process that sends held `started` updates: beside a body that keeps the GIL, and its ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from aws.held_attempt import Endpoint, HeldAttempt, SignallingBus, pid_of, unread_bytes
from aws.runtime_in_memory import event
from cordyna_core.aws import start_sender
from cordyna_core.aws.clients import session
from cordyna_core.aws.start_sender import PROGRAM, StartSender
from cordyna_core.contract.time import utc
from server.builders import a_command

LAMBDA: Final = "aws.lambda_that_keeps_the_gil"
LONG_S: Final = 3600.0


def test_started_is_sent_while_the_body_keeps_the_gil(
    endpoint_of: Callable[..., Endpoint],
) -> None:
    """1. The body reads a pipe without releasing the lock. 2. Only `started` ends that."""
    endpoint = endpoint_of()
    command = event(a_command(ack_by=utc(time.time() + 600), start_by=utc(time.time() + 600)))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "aws.lambda_that_keeps_the_gil",
            str(endpoint.pipe),
            json.dumps(command),
        ],
        check=True,
        timeout=120,
        pass_fds=[endpoint.pipe],
        env=os.environ
        | {"CORDYNA_STARTED_AFTER_S": "0.01", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    (completed,) = endpoint.next()["entries"]
    detail = json.loads(completed["Detail"])
    assert (detail["state"], "started_at" in detail) == ("completed", False)
    (started,) = json.loads(detail["output"])["entries"]
    assert json.loads(started["Detail"])["state"] == "started"
    assert (started["Source"], started["EventBusName"]) == (
        "cordyna.server.task-server-a",
        "cordyna",
    )
    assert endpoint.close() == [], "each was sent once"


def test_hold_that_is_taken_back_is_one_update(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    endpoint, sender = endpoint_of(), sender_of()
    held = HeldAttempt(sender)
    attempt = held.begin(LONG_S)
    attempt.end_hold()
    attempt.report("completed")
    assert held.states == [("completed", True)]
    assert endpoint.close() == []
    assert sender._held == {}


def test_progress_takes_back_what_is_held(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    endpoint, sender = endpoint_of(), sender_of()
    held = HeldAttempt(sender)
    attempt = held.begin(LONG_S)
    attempt.report_progress(0.5, None)
    assert sender._held == {}
    attempt.end_hold()
    attempt.report("completed")
    assert held.states == [("started", False), ("started", False), ("completed", False)]
    assert endpoint.close() == []


def test_progress_after_the_process_has_sent_is_one_update(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    endpoint = endpoint_of()
    held = HeldAttempt(sender_of())
    attempt = held.begin(0.0)
    assert endpoint.next_state() == "started"
    attempt.report_progress(0.5, None)
    attempt.end_hold()
    attempt.report("completed")
    assert [update.progress for update in held.bus.published] == [0.5, None]
    assert held.states == [("started", False), ("completed", False)]
    assert endpoint.close() == []


def test_progress_that_fails_leaves_the_start_to_the_process(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    endpoint, sender = endpoint_of(), sender_of()
    held = HeldAttempt(sender, SignallingBus(failures=2))
    attempt = held.begin(LONG_S)
    attempt.report_progress(0.5, None)
    assert len(sender._held) == 1, "it is held again"
    attempt.end_hold()
    attempt.report("completed")
    assert held.states == [("completed", True)]
    assert endpoint.close() == []


def test_thawed_process_does_not_send_what_was_taken_back(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    """1. The sandbox is frozen; 2. the time of the update passes; 3. it is taken back."""
    endpoint, sender = endpoint_of(), sender_of()
    os.kill(pid_of(sender), signal.SIGSTOP)
    os.waitpid(pid_of(sender), os.WUNTRACED)
    held = HeldAttempt(sender)
    attempt = held.begin(0.0)
    before = unread_bytes(sender)
    ending = threading.Thread(target=attempt.end_hold)
    ending.start()
    while unread_bytes(sender) == before:
        pass
    os.kill(pid_of(sender), signal.SIGCONT)
    ending.join()
    attempt.report("completed")
    assert held.states == [("completed", True)]
    assert endpoint.close() == []


def test_several_invocations_share_the_process(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    endpoint, sender = endpoint_of(), sender_of()
    held = HeldAttempt(sender)
    short, long_ = held.begin(LONG_S), held.begin(0.0)
    assert endpoint.next_state() == "started"
    short.end_hold()
    long_.end_hold()
    assert (len(short.events), len(long_.events)) == (0, 1)
    assert endpoint.close() == []


def test_process_that_is_killed_reports_at_once(
    endpoint_of: Callable[..., Endpoint],
    sender_of: Callable[..., StartSender],
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint_of()
    sender, bus = sender_of(), SignallingBus()
    held = HeldAttempt(sender, bus)
    pid = pid_of(sender)
    attempt = held.begin(LONG_S)
    os.kill(pid, signal.SIGKILL)
    assert bus.has_published.wait(30)
    attempt.end_hold()
    later = held.begin(LONG_S)
    assert len(bus.published) == 2, "what follows is not held"
    later.end_hold()
    later.report("completed")
    assert held.states == [("started", False), ("started", False), ("completed", False)]
    assert len([text for text in caplog.messages if "ended with -9" in text]) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_start_after_a_kill_is_tried_again_if_the_bus_fails(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    endpoint_of()
    sender, bus = sender_of(), SignallingBus(failures=2)
    sender.close()
    held = HeldAttempt(sender, bus)
    attempt = held.begin(0.0)
    assert bus.has_published.wait(30)
    attempt.end_hold()
    attempt.report("completed")
    assert held.states == [("started", False), ("completed", False)]


NOT_RUNNING: Final[dict[str, tuple[Sequence[str], str]]] = {
    "cannot be started": (["/no/such/program"], "was not started: "),
    "ends": ([sys.executable, "-c", "raise SystemExit(3)"], "ended with 3"),
    "answers no JSON": ([sys.executable, "-c", "print('what?', flush=True)"], "ended with"),
    "has not answered": ([sys.executable, "-c", "import sys; sys.stdin.read()"], ""),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("what", NOT_RUNNING)
def test_without_a_process_a_body_is_reported_at_once(
    endpoint_of: Callable[..., Endpoint],
    sender_of: Callable[..., StartSender],
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    endpoint_of()
    program, logged = NOT_RUNNING[what]
    sender = sender_of(program)
    held = HeldAttempt(sender)
    for _ in range(2):
        held.begin(LONG_S).end_hold()
    assert held.states == [("started", False)] * 2
    if logged:
        if sender._process is not None:
            sender._reader.join()
        assert len([text for text in caplog.messages if logged in text]) == 1
    sender.start()
    assert sum("held" in text or "sent at once" in text for text in caplog.messages) <= 1


DEAF: Final = [
    sys.executable,
    "-c",
    "import time; print('{\"ready\": true}', flush=True); time.sleep(3600)",
]


def test_process_that_does_not_read_is_given_up(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    endpoint_of()
    sender = sender_of(DEAF)
    assert sender.ready.wait(30)
    held = HeldAttempt(sender, SignallingBus())
    attempts = []
    while sender.ready.is_set():
        attempts.append(held.begin(LONG_S))
    for attempt in attempts:
        attempt.end_hold()
    assert len(attempts) > 10, "a pipe holds some"
    assert held.states == [("started", False)] * len(attempts)


def test_update_of_which_a_part_is_written_is_sent_at_once(
    endpoint_of: Callable[..., Endpoint],
    sender_of: Callable[..., StartSender],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pipe has no room for the rest of it, and nothing follows."""
    endpoint_of()
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t" * 100_000)
    sender, bus = sender_of(DEAF), SignallingBus()
    assert sender.ready.wait(30)
    held = HeldAttempt(sender, bus)
    attempt = held.begin(LONG_S)
    assert bus.has_published.wait(30)
    attempt.end_hold()
    assert held.states == [("started", False)]


def test_server_that_closes_all_descriptors_reports_at_once(
    endpoint_of: Callable[..., Endpoint], sender_of: Callable[..., StartSender]
) -> None:
    """As a body does that makes itself a daemon."""
    endpoint_of()
    sender = sender_of()
    held = HeldAttempt(sender)
    attempt = held.begin(LONG_S)
    process = sender._process
    assert process is not None
    assert process.stdin is not None
    assert process.stdout is not None
    # The process ends when its input does, and the thread that waits for it closes what is left.
    os.close(process.stdout.fileno())
    os.close(process.stdin.fileno())
    attempt.end_hold()
    held.begin(LONG_S).end_hold()
    assert held.states == [("started", False)] * 2


def test_answers_end_where_their_descriptor_is_closed() -> None:
    assert list(start_sender._lines(-1)) == []


def test_start_that_cannot_be_signed_is_reported_at_once(
    endpoint_of: Callable[..., Endpoint],
    sender_of: Callable[..., StartSender],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint_of()
    sender = sender_of()
    monkeypatch.setattr(session(), "get_credentials", lambda: None)
    held = HeldAttempt(sender)
    held.begin(LONG_S).end_hold()
    assert held.states == [("started", False)]
    assert "was not signed" in caplog.text


def test_process_ends_with_its_parent(endpoint_of: Callable[..., Endpoint]) -> None:
    """The parent is killed, so it closes nothing by itself."""
    endpoint_of()
    code = (
        "import os, signal\n"
        "from cordyna_core.aws.start_sender import StartSender\n"
        "sender = StartSender(lambda started: {})\n"
        "sender.start()\n"
        "assert sender.ready.wait(30)\n"
        "print(sender._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    read_end, write_end = os.pipe()
    # The process has inherited its parent's stderr: a pipe that ends when the last one is gone.
    parent = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=write_end, check=False
    )
    os.close(write_end)
    with os.fdopen(read_end) as stderr:
        assert stderr.read() == ""
    assert int(parent.stdout) > 0


def test_process_imports_neither_cordyna_nor_botocore() -> None:
    code = f"import runpy, sys; runpy.run_path({PROGRAM[-1]!r}); print(*sys.modules)"
    loaded = subprocess.run(
        [*PROGRAM[:-1], "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    rare = {"cordyna_core", "botocore", "pydantic", "ssl", "urllib.request", "threading", "logging"}
    assert rare.isdisjoint(loaded)

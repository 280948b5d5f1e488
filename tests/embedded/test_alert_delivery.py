"""Deliveries of alerts that go wrong: each is over in time, and says why it failed."""

import json
import os
import shlex
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from cerebro.embedded.alerts import delivery
from cerebro.embedded.alerts.delivery import FORMATS, DeliveryFailed, deliver
from cerebro.embedded.alerts.sender import message_of
from contract.golden_messages import golden
from cordyna_cli.engine import AlertTarget
from cordyna_core.contract.incidents import BlockedTask, IncidentMessage


def the_message(**fields: Any) -> IncidentMessage:
    message = message_of(json.dumps(golden("IncidentOpened")))
    assert message is not None
    return message.model_copy(update=fields)


def python(code: str) -> AlertTarget:
    return AlertTarget(command=f"{sys.executable} -c {shlex.quote(code)}")


def test_command_that_prints_what_is_no_text_has_delivered() -> None:
    """Otherwise it would be run eight times."""
    deliver(
        python("import os; os.write(1, b'\\xff\\x00'); os.write(2, b'\\xfe')"),
        the_message(),
        is_waiting=False,
    )


def test_command_that_fails_with_what_is_no_text_says_why() -> None:
    target = python("import os; os.write(2, b'line\\nno \\xff\\x1b phone\\n'); os._exit(5)")
    with pytest.raises(DeliveryFailed, match="ended with 5: no \N{REPLACEMENT CHARACTER}  phone"):
        deliver(target, the_message(), is_waiting=False)


def test_command_that_writes_without_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "COMMAND_TIMEOUT_S", 0.5)
    with pytest.raises(DeliveryFailed, match=r"took longer than 0.5 s, and was killed"):
        deliver(AlertTarget(command="yes"), the_message(), is_waiting=False)
    with pytest.raises(DeliveryFailed, match=r"took longer than 0.5 s, and was killed"):
        deliver(AlertTarget(command="sh -c 'yes >&2'"), the_message(), is_waiting=False)


def test_command_is_killed_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(delivery, "COMMAND_TIMEOUT_S", 1.0)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(DeliveryFailed, match="was killed"):
            deliver(
                AlertTarget(command=f"sh -c 'sleep 600 > {pipe} & sleep 600'"),
                the_message(),
                is_waiting=False,
            )
        os.set_blocking(reader, True)
        assert os.read(reader, 1) == b"", "no process has it open any more"
    finally:
        os.close(reader)


def test_command_that_leaves_something_running_has_delivered(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    target = AlertTarget(command=f"sh -c 'sleep 600 & echo $! > {pid_file}'")
    deliver(target, the_message(), is_waiting=False)
    os.kill(int(pid_file.read_text()), 9)


def test_child_that_keeps_stderr_open_holds_no_thread(tmp_path: Path) -> None:
    pid_file, before = tmp_path / "pid", threading.active_count()
    target = AlertTarget(command=f"sh -c 'sleep 600 & echo $! > {pid_file}; echo no >&2; exit 4'")
    with pytest.raises(DeliveryFailed, match="ended with 4: no"):
        deliver(target, the_message(), is_waiting=False)

    assert threading.active_count() == before
    os.kill(int(pid_file.read_text()), 9)


def test_command_that_closes_stderr_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(AlertTarget(command="sh -c 'exec 2>&-; sleep 0.2'"), the_message(), is_waiting=False)
    monkeypatch.setattr(delivery, "COMMAND_TIMEOUT_S", 0.2)
    with pytest.raises(DeliveryFailed, match="took longer than"):
        deliver(AlertTarget(command="sh -c 'exec 2>&-; sleep 9'"), the_message(), is_waiting=False)


def test_command_gets_the_event_as_one_line(tmp_path: Path) -> None:
    target = AlertTarget(command=f"tee -a {tmp_path / 'alerts.jsonl'}")
    for task in ("load", "report"):
        deliver(target, the_message(task=task), is_waiting=False)
    lines = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line)["detail"]["task"] for line in lines] == ["load", "report"]


def test_command_that_reads_nothing_does_not_block() -> None:
    blocked = [BlockedTask(task=f"t{n}", server="s" * 100) for n in range(2000)]
    deliver(AlertTarget(command="true"), the_message(blocked=blocked), is_waiting=False)


def test_line_with_control_characters_is_delivered(tmp_path: Path) -> None:
    """The message of an exception may hold any; an environment holds no NUL."""
    out = tmp_path / "out"
    target = python(f"import os; open({str(out)!r}, 'w').write(os.environ['CORDYNA_ALERT'])")
    deliver(target, the_message(summary="load failed: \x00\x1b[31m no"), is_waiting=False)
    assert out.read_text() == "load failed:   [31m no"


@pytest.mark.parametrize("answer", [b"\xff\x00\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n", b""])
def test_webhook_that_does_not_speak_http_fails(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/secret-path"
        with pytest.raises(DeliveryFailed, match=r"not HTTP|was not reached") as failed:
            deliver(AlertTarget(webhook=address), the_message(), is_waiting=False)
        thread.join()
    assert "secret-path" not in str(failed.value)


@pytest.mark.parametrize("address", ["http://host:port/secret-path", "http://ho st/secret-path"])
def test_webhook_whose_address_is_no_url_fails(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK", address)
    with pytest.raises(DeliveryFailed, match="is not a valid URL") as failed:
        deliver(AlertTarget(webhook="env:WEBHOOK"), the_message(), is_waiting=False)
    assert "secret-path" not in str(failed.value)


def test_text_for_slack_is_escaped() -> None:
    message = the_message(summary="load failed: ValueError: <!channel> & <@U1>")
    text = FORMATS["slack"](message, is_waiting=True)
    assert text == {"text": message.summary_for_blocked}
    assert FORMATS["slack"](message, is_waiting=False)["text"].startswith(
        "load failed: ValueError: &lt;!channel&gt; &amp; &lt;@U1&gt;\n"
    )

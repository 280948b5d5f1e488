"""Delivery: hands one alert to a webhook or to a command.

Invariant: a delivery that returns was accepted; every other outcome is a DeliveryFailed with its
reason, and without the address, which may be a secret.
"""

import json
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from html import escape
from tempfile import TemporaryFile
from typing import Any, Final

from cordyna_cli.engine import AlertTarget
from cordyna_core.contract.incidents import IncidentMessage
from cordyna_core.errors import CordynaError

WEBHOOK_TIMEOUT_S: Final = 10.0
COMMAND_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.05
_BLOCK_BYTES: Final = 4096
_LINE_CHARS_MAX: Final = 200
_ENVIRONMENT: Final = "env:"


class DeliveryFailed(CordynaError):
    """An alert was not accepted."""


def deliver(target: AlertTarget, message: IncidentMessage, *, is_waiting: bool) -> None:
    """Deliver an alert. Raises DeliveryFailed."""
    body = json.dumps(FORMATS[target.format](message, is_waiting=is_waiting), ensure_ascii=False)
    if target.webhook is not None:
        _post(_address(target.webhook), body)
    else:
        _run(target.command or "", body, line_of(message, is_waiting=is_waiting))


def line_of(message: IncidentMessage, *, is_waiting: bool) -> str:
    """Return the line for its reader."""
    return message.summary_for_blocked if is_waiting else message.summary


def _address(webhook: str) -> str:
    if not webhook.startswith(_ENVIRONMENT):
        return webhook
    name = webhook.removeprefix(_ENVIRONMENT)
    address = os.environ.get(name)
    if not address:
        raise DeliveryFailed(f"the environment variable {name} of the webhook is not set")
    return address


def _post(address: str, body: str) -> None:
    # Imported here: every command that drives a home loads this module, and few send an alert.
    import http.client  # noqa: PLC0415
    import urllib.error  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    request = urllib.request.Request(  # noqa: S310  the settings accept http and https only
        address, data=body.encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=WEBHOOK_TIMEOUT_S):  # noqa: S310
            pass
    except urllib.error.HTTPError as refused:
        refused.close()
        answer = _printable(f"{refused.code} {refused.reason}"[:_LINE_CHARS_MAX])
        raise DeliveryFailed(f"the webhook answered {answer}") from refused
    except http.client.InvalidURL as invalid:
        raise DeliveryFailed("the address of the webhook is not a valid URL") from invalid
    except http.client.HTTPException as garbled:
        raise DeliveryFailed("the webhook gave an answer that is not HTTP") from garbled
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "reason", None) or type(failure).__name__
        raise DeliveryFailed(f"the webhook was not reached: {reason}") from failure


def _run(command: str, body: str, line: str) -> None:
    """Run the command to its end. What it leaves running in the background is not waited for."""
    with TemporaryFile() as given:  # a command that does not read it must not block us
        given.write(f"{body}\n".encode())  # so that a command may append it to a file of lines
        given.seek(0)
        try:
            process = subprocess.Popen(
                shlex.split(command),
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, "CORDYNA_ALERT": _printable(line)},
                start_new_session=True,
            )
        except (OSError, ValueError) as failure:
            raise DeliveryFailed(f"the command did not run: {failure}") from failure
    try:
        errors = _errors_until_end(process)
    except subprocess.TimeoutExpired as endless:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise DeliveryFailed(
            f"the command took longer than {COMMAND_TIMEOUT_S:g} s, and was killed"
        ) from endless
    if process.returncode:
        raise DeliveryFailed(f"the command ended with {process.returncode}: {_last_line(errors)}")


def _errors_until_end(process: "subprocess.Popen[bytes]") -> bytes:
    """Wait for the end of a process. Returns the end of what it wrote to stderr.

    What it left running may keep stderr open, and finds it closed from then on.

    Raises subprocess.TimeoutExpired after COMMAND_TIMEOUT_S.
    """
    assert process.stderr is not None
    kept, give_up_at = b"", time.monotonic() + COMMAND_TIMEOUT_S
    with process.stderr as stream, selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            has_ended = process.poll() is not None
            if selector.select(0 if has_ended else _POLL_S):
                block = os.read(stream.fileno(), _BLOCK_BYTES)
                if not block:
                    process.wait(max(0.0, give_up_at - time.monotonic()))
                    return kept
                kept = (kept + block)[-_BLOCK_BYTES:]
            elif has_ended:
                return kept
            if time.monotonic() >= give_up_at:
                raise subprocess.TimeoutExpired(process.args, COMMAND_TIMEOUT_S)


def _last_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return _printable(lines[-1][:_LINE_CHARS_MAX]) if lines else "nothing on stderr"


def _printable(line: str) -> str:
    """Return a line without control characters: an environment cannot hold all of them."""
    return "".join(char if char.isprintable() else " " for char in line)


def _slack(message: IncidentMessage, *, is_waiting: bool) -> Any:
    # Escaped, as Slack asks for ("Formatting text for app surfaces"): `<!channel>` pages everyone.
    line = escape(line_of(message, is_waiting=is_waiting), quote=False)
    return {"text": line if is_waiting else f"{line}\n`{message.next}`"}


def _teams(message: IncidentMessage, *, is_waiting: bool) -> Any:
    facts = [
        {"title": title, "value": value}
        for title, value in (
            ("owner", message.owner),
            ("server", message.server),
            ("next", None if is_waiting else message.next),
        )
        if value
    ]
    text = line_of(message, is_waiting=is_waiting)
    card = {
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "wrap": True, "weight": "Bolder", "text": text},
            {"type": "FactSet", "facts": facts},
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _json(message: IncidentMessage, *, is_waiting: bool) -> Any:
    detail = message.model_dump(mode="json", exclude_none=True)
    return {"event": type(message).__name__, "waiting": is_waiting, "detail": detail}


FORMATS: Final[Mapping[str, Callable[..., Any]]] = {
    "json": _json,
    "slack": _slack,
    "teams": _teams,
}
"""The body of an alert, by the name of its format."""

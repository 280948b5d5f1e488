"""Delivery: hands one alert to a webhook or to a command.

Invariant: a delivery that returns was accepted; every other outcome is a DeliveryFailed with its
reason, and without the address, which may be a secret.
"""

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from typing import Any, Final

from cordyna_cli.engine import AlertTarget
from cordyna_core.contract.incidents import IncidentMessage
from cordyna_core.errors import CordynaError

WEBHOOK_TIMEOUT_S: Final = 10.0
COMMAND_TIMEOUT_S: Final = 30.0
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
    """The line for its reader."""
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
        raise DeliveryFailed(f"the webhook answered {refused.code} {refused.reason}") from refused
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "reason", None) or type(failure).__name__
        raise DeliveryFailed(f"the webhook was not reached: {reason}") from failure


def _run(command: str, body: str, line: str) -> None:
    try:
        done = subprocess.run(
            shlex.split(command),
            input=body,
            text=True,
            capture_output=True,
            check=False,
            timeout=COMMAND_TIMEOUT_S,
            env={**os.environ, "CORDYNA_ALERT": line},
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as failure:
        raise DeliveryFailed(f"the command did not run: {failure}") from failure
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise DeliveryFailed(f"the command ended with {done.returncode}: {last[:200]}")


def _slack(message: IncidentMessage, *, is_waiting: bool) -> Any:
    line = line_of(message, is_waiting=is_waiting)
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

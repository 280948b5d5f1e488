"""Alert targets: `[tool.cordyna.alerts]`, where the incidents of an owner are sent.

    [tool.cordyna.alerts]
    team-sales = { webhook = "env:SLACK_WEBHOOK", format = "slack" }
    "*" = { command = "notify-send cordyna" }

Invariant: an owner has one target, which is a webhook or a command.
"""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cordyna_cli.engine import AlertTarget

FORMATS: Final = ("json", "slack", "teams")
_SETTINGS: Final = ("webhook", "command", "format")
_SCHEMES: Final = ("https://", "http://", "env:")


def alert_problems(value: Any) -> Iterator[str]:
    """Yield what is wrong with the setting `alerts`, a line for each problem."""
    if not isinstance(value, Mapping):
        yield "`alerts` is a table: an owner, or `*`, and its webhook or command"
        return
    for owner, target in value.items():
        yield from (f"`alerts`, {owner}: {problem}" for problem in _problems(target))


def _problems(target: Any) -> Iterator[str]:
    if not isinstance(target, Mapping):
        yield 'write a table, such as { webhook = "env:SLACK_WEBHOOK", format = "slack" }'
        return
    for name, value in target.items():
        if name not in _SETTINGS:
            yield f"there is no setting `{name}`; there are {', '.join(_SETTINGS)}"
        elif not isinstance(value, str) or not value:
            yield f"`{name}` is a text"
    webhook, command = target.get("webhook"), target.get("command")
    if (webhook is None) == (command is None):
        yield "give either `webhook` or `command`"
    if isinstance(webhook, str) and not webhook.startswith(_SCHEMES):
        yield f"`webhook` begins with {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]}"
    if isinstance(command, str) and not _is_command(command):
        yield "`command` has an open quote"
    if target.get("format", FORMATS[0]) not in FORMATS:
        yield f"`format` is one of {', '.join(FORMATS)}"


def _is_command(text: str) -> bool:
    try:
        return bool(shlex.split(text))
    except ValueError:
        return False


def read_alerts(value: Mapping[str, Any]) -> dict[str, AlertTarget]:
    """Return the targets by owner. Requires a value without problems."""
    return {owner: AlertTarget(**target) for owner, target in value.items()}

"""Invocation: when a run was invoked, by whom, with which parameters and labels."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cordyna_cli.wording.format import ago, moment, param_argument
from cordyna_cli.wording.senders import invoker_of
from cordyna_core.contract.views.runs import RunView

_PAIRS_CHARS_MAX: Final = 200


def invocation_sentence(view: RunView, now: datetime) -> str:
    """Return `invoked 06:00:00Z (2 h 05 m ago) by alice, with day=monday`.

    Empty where it is not known when the run was invoked.
    """
    at = view.created_at
    if at is None:
        return ""
    when = f"invoked {moment(at, now)} ({ago(at, now)})"
    invoker = invoker_of(view)
    who = f" by {invoker}" if invoker else ""
    tick = f" for {moment(view.scheduled_at, now)}" if view.scheduled_at else ""
    return f"{when}{who}{tick}{_pairs('with', view.params)}{_pairs('labelled', view.labels)}"


def _pairs(word: str, pairs: Mapping[str, Any]) -> str:
    """Return `, with day=monday top=5`; nothing where there are none."""
    text = " ".join(param_argument(name, value) for name, value in pairs.items())
    rest = " ..." if len(text) > _PAIRS_CHARS_MAX else ""
    return f", {word} {text[:_PAIRS_CHARS_MAX]}{rest}" if text else ""

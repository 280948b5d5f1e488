"""Results: how an attempt ended, and the limits of what is reported about it.

Invariant: an output is JSON of at most 16 KB, and the description of an error at most 4 KB; both
are checked before anything is published.
"""

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from json import loads
from types import TracebackType
from typing import Any, Final, Literal

from pydantic_core import to_json

from cordyna_core.contract.base import ErrorDescription, Message
from cordyna_core.contract.json_values import require_json
from cordyna_core.contract.limits import (
    MAX_ERROR_BYTES,
    MAX_ERROR_MESSAGE_BYTES,
    MAX_ERROR_TYPE_BYTES,
    MAX_OUTPUT_BYTES,
    output_too_large,
)
from cordyna_core.errors import TaskError, TerminalError
from cordyna_core.server.redaction import without_secrets

_LINKS: Final = ("__cause__", "__context__", "__suppress_context__")
_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """How one attempt ended, and the messages that were published while it ran."""

    state: Literal["completed", "error"]
    reason: str | None = None
    output: Any = None
    error: ErrorDescription | None = None
    events: tuple[Message, ...] = field(default=(), repr=False)


class AttemptCancelled(TerminalError):
    """The attempt was cancelled, and its body stopped."""


class OutputNotJson(TerminalError):
    """A task returned a value that JSON cannot carry."""


class OutputTooLarge(TerminalError):
    """A task returned more than 16 KB of JSON."""


def strict_json(value: Any) -> tuple[Any, int]:
    """Return `value` as plain JSON data, and its size in bytes of compact UTF-8.

    Raises:
        ValueError: a type that JSON does not have, NaN, infinity, a cycle, too deep nesting, broken
            text, keys of an object that become equal (1 and "1").
    """
    text = to_json(value, inf_nan_mode="constants")
    try:
        plain = loads(text, object_pairs_hook=_object_of)
    except RecursionError as deep:
        raise ValueError(str(deep)) from deep
    return require_json(plain), len(text)


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object has several keys that become {repeated!r} in JSON")
    return plain


def json_output(value: Any) -> Any:
    """Return a task's output as plain JSON data.

    Dates, enums, dataclasses, pydantic models and sets are converted.

    Raises:
        OutputNotJson: see `strict_json`.
        OutputTooLarge: more than 16 KB of compact UTF-8.
    """
    if value is None:
        return None
    try:
        plain, size = strict_json(value)
    except ValueError as unfit:
        raise OutputNotJson(
            f"the output is not JSON: {unfit}; "
            "return dicts, lists, text, finite numbers, dates or models"
        ) from None
    if size > MAX_OUTPUT_BYTES:
        raise OutputTooLarge(output_too_large(size))
    return plain


def describe(
    error: BaseException, *, retryable: bool | None = None, secrets: Sequence[str] = ()
) -> ErrorDescription:
    """Return the description of an exception of a task's body, cut to 4 KB.

    The traceback begins at the user's code; if it is cut, its end is kept. `retryable`: default:
    what the exception says of itself. `secrets` do not occur in it.
    """
    kind = _head(without_secrets(secrets, _name(error)), MAX_ERROR_TYPE_BYTES)
    message = _head(without_secrets(secrets, _text(error)), MAX_ERROR_MESSAGE_BYTES)
    room = MAX_ERROR_BYTES - len(kind.encode()) - len(message.encode())
    # An error that cordyna raises about an attempt has no frame of the user's, and needs none.
    frames = _user_frames(error.__traceback__)
    trace = (
        _tail(without_secrets(secrets, _trace(error, frames)), room) if frames is not None else None
    )
    if retryable is None:
        retryable = error.retryable if isinstance(error, TaskError) else True
    return ErrorDescription(type=kind, message=message, retryable=retryable, traceback=trace)


def _user_frames(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith(
        "cordyna_core."
    ):
        frames = frames.tb_next
    return frames


def _trace(error: BaseException, frames: TracebackType) -> str:
    """Return the end of the traceback, at least as much as is kept.

    From the last exception to those that led to it: there may be any number of them.
    """
    parts: list[str] = []
    exceptions: set[int] = set()
    link: BaseException | None = error
    try:
        while link is not None and id(link) not in exceptions and _size(parts) <= MAX_ERROR_BYTES:
            exceptions.add(id(link))
            begin = frames if link is error else link.__traceback__
            with _alone(link):
                lines = traceback.format_exception(type(link), link, begin)
            parts += reversed(lines)
            connection, link = _earlier(link)
            parts.append(connection)
    except BaseException as unprintable:  # noqa: BLE001  a text is code of the user's
        return f"(no traceback: {_name(unprintable)} while it was written)"
    return "".join(reversed(parts[:-1]))


@contextmanager
def _alone(error: BaseException) -> Iterator[None]:
    """Keep traceback from reading all that led to an exception, however little is written."""
    links = [(name, getattr(error, name)) for name in _LINKS]
    try:
        for name in _LINKS[:2]:
            BaseException.__setattr__(error, name, None)
        yield
    finally:
        for name, value in links:
            BaseException.__setattr__(error, name, value)


def _size(parts: Sequence[str]) -> int:
    return sum(map(len, parts))


def _earlier(error: BaseException) -> tuple[str, BaseException | None]:
    """Return the exception that led to this one, and how Python says so."""
    if error.__cause__ is not None:
        return _CAUSE, error.__cause__
    if error.__context__ is not None and not error.__suppress_context__:
        return _CONTEXT, error.__context__
    return "", None


def _text(error: BaseException) -> str:
    if type(error) is SystemExit and (error.code is None or isinstance(error.code, int)):
        code = "" if error.code is None else error.code
        return f"the body called sys.exit({code}): return a result, or raise an error"
    try:
        return str(error)
    except BaseException as unprintable:  # noqa: BLE001  as above, even if it interrupts or exits
        return f"(no message: {_name(unprintable)} while it was written)"


def _name(error: BaseException) -> str:
    """Return the name of its class, even if a metaclass gives the class another `__name__`."""
    name: str = type.__dict__["__name__"].__get__(type(error))
    return name


def _head(text: str, limit: int) -> str:
    whole = text.encode("utf-8", "replace")
    return (
        whole.decode()
        if len(whole) <= limit
        else whole[: limit - 3].decode("utf-8", "ignore") + "..."
    )


def _tail(text: str, limit: int) -> str:
    whole = text.encode("utf-8", "replace")
    return (
        whole.decode()
        if len(whole) <= limit
        else "..." + whole[-(limit - 3) :].decode("utf-8", "ignore")
    )

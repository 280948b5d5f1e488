"""Protocol: frames of the local worker protocol, and how streams are split into them.

Invariant: reading costs time linear in the bytes, and holds at most one frame (1 MB) in memory.
"""

import codecs
import json
from typing import Any, Final, NamedTuple

from cordyna_core.contract.limits import MAX_JSON_DEPTH

KEPT_BYTES_MAX: Final = 64 * 1024
"""Of a frame that is too long, for people."""

# Bound here: user code may replace json.dumps, and the frames of its process are made with it. Made
# once: json.dumps with separators would make an encoder for each line.
_dumps: Final = json.JSONEncoder().encode
_compact: Final = json.JSONEncoder(separators=(",", ":")).encode

MAX_FRAME_BYTES: Final = 1024 * 1024
_FRAME_LEVELS: Final = 4
"""Around a free part: the frame, its detail, the upstream of a RunTask, and one to spare."""

MAX_NESTING: Final = MAX_JSON_DEPTH + _FRAME_LEVELS

COMMANDS: Final = frozenset({"InvokeTask", "CancelRun", "RetryRun"})
"""What a server may send to cerebro while a task runs."""

FINAL_STATES: Final = frozenset({"completed", "error"})
WORKER_STATES: Final = frozenset({"started", *FINAL_STATES})


class BadFrame(ValueError):
    """A line that is not a frame of the protocol; the message says why."""


class Frame(NamedTuple):
    """One parsed line. `fields` holds what the line has beside detail-type and detail."""

    detail_type: str
    detail: dict[str, Any]
    fields: dict[str, Any]
    line: bytes


class AttemptKey(NamedTuple):
    """Names one attempt of one task run."""

    run_id: str
    task: str
    attempt: int


def parse_frame(line: bytes) -> Frame:
    """Parse one line. Raises BadFrame."""
    if _may_be_too_deep(line) and _nesting(line) > MAX_NESTING:
        raise BadFrame(f"nested deeper than {MAX_NESTING} levels")
    try:
        fields = _DECODER.decode(line.decode())
    except ValueError as invalid:
        raise BadFrame(f"not JSON: {invalid}") from None
    if not isinstance(fields, dict):
        raise BadFrame("not a JSON object")
    detail_type, detail = fields.pop("detail-type", None), fields.pop("detail", None)
    if not isinstance(detail_type, str) or not isinstance(detail, dict):
        raise BadFrame("no detail-type (a string) with a detail (an object)")
    return Frame(detail_type, detail, fields, line)


def frame_bytes(detail_type: str, detail: dict[str, Any], **fields: Any) -> bytes:
    """Return one frame as a line."""
    return to_line({"detail-type": detail_type, "detail": detail, **fields})


def frame_from_json(detail_type: str, detail: str, **fields: Any) -> bytes:
    """Return one frame as a line, of a detail that is JSON already."""
    extra = "".join(f',"{name}":{_dumps(value)}' for name, value in fields.items())
    return f'{{"detail-type":"{detail_type}"{extra},"detail":{detail}}}\n'.encode()


def to_line(value: Any) -> bytes:
    """Return `value` as one line of compact JSON."""
    return _compact(value).encode() + b"\n"


def key_of(detail: dict[str, Any]) -> AttemptKey | None:
    """Return the attempt that a detail names, or None if it names none."""
    run_id, task, attempt = detail.get("run_id"), detail.get("task"), detail.get("attempt")
    if isinstance(run_id, str) and isinstance(task, str) and type(attempt) is int:
        return AttemptKey(run_id, task, attempt)
    return None


def concurrency_of(frame: Frame) -> int | None:
    """Return how many workers a ServerDeclared wants; None if it does not say. Raises BadFrame."""
    concurrency = frame.fields.get("concurrency")
    if concurrency is None or (type(concurrency) is int and concurrency >= 1):
        return concurrency
    text = _dumps(concurrency)[:100]
    raise BadFrame(f"`concurrency` must be a whole number from 1 on, and is {text}")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def _may_be_too_deep(line: bytes) -> bool:
    return line.count(b"[") + line.count(b"{") > MAX_NESTING


def _nesting(line: bytes) -> int:
    """Return how deep brackets are nested outside of strings."""
    deepest = depth = 0
    in_string = escaped = False
    for byte in line:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:  # backslash
                escaped = True
            elif byte == 0x22:  # quote
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


class Oversized(NamedTuple):
    """A line of more than MAX_FRAME_BYTES: its beginning. The rest is discarded."""

    head: bytes


class LineSplitter:
    """Splits a byte stream into lines, without their newlines."""

    __slots__ = ("_discarding", "_limit", "_pending")

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._discarding = False

    def feed(self, data: bytes) -> list[bytes | Oversized]:
        """Return the lines that `data` completes, in order."""
        # The common case first: whole lines arrive at once.
        if not self._pending and not self._discarding and data.endswith(b"\n"):
            lines = data.split(b"\n")
            lines.pop()
            return [self._checked(line) for line in lines]
        *complete, rest = data.split(b"\n")
        completed: list[bytes | Oversized] = []
        for line in complete:
            if self._discarding:
                self._discarding = False
                continue
            self._pending += line
            completed.append(self._checked(bytes(self._pending)))
            self._pending.clear()
        if self._discarding:
            return completed
        self._pending += rest
        if len(self._pending) > self._limit:
            completed.append(self._checked(bytes(self._pending)))
            self._pending.clear()
            self._discarding = True
        return completed

    def _checked(self, line: bytes) -> bytes | Oversized:
        return line if len(line) <= self._limit else Oversized(line[:KEPT_BYTES_MAX])


class StdoutSplitter:
    """Splits the standard output of an `exec:` worker into frames and the output of its attempt.

    Output is handed on as it comes; only a line that may be a frame (it begins with `{`) is kept
    until it is complete or too long.
    """

    __slots__ = ("_in_output", "_is_begun", "_limit", "_pending")

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._in_output = self._is_begun = False

    def feed(self, data: bytes) -> list[Frame | Oversized | BadFrame | bytes]:
        """Return what `data` completes: frames, and bytes that are output."""
        if not self._is_begun:
            # Some languages write it before the first text.
            data, self._is_begun = data.removeprefix(codecs.BOM_UTF8), True
            if not data:
                return []
        if not self._pending and b"{" not in data:
            # The common case of output alone, also in large amounts.
            self._in_output = not data.endswith(b"\n")
            return [data]
        items: list[Frame | Oversized | BadFrame | bytes] = []
        output: list[bytes] = []
        for piece in _split_lines(data):
            item = self._take(piece)
            if isinstance(item, bytes):
                output.append(item)
            elif item is not None:
                _move_output(output, items)
                items.append(item)
        _move_output(output, items)
        return items

    def end(self) -> bytes:
        """Return the output that was still held back when the stream ended."""
        rest = bytes(self._pending)
        self._pending.clear()
        return rest

    def _take(self, piece: bytes) -> Frame | Oversized | BadFrame | bytes | None:
        """Return what a piece of one line completes; None while it is kept."""
        ends = piece.endswith(b"\n")
        if self._in_output or (not self._pending and not piece.startswith(b"{")):
            self._in_output = not ends
            return piece
        self._pending += piece
        if not ends and len(self._pending) <= self._limit:
            return None
        line = bytes(self._pending)
        self._pending.clear()
        if ends:
            return _frame_or_output(line, self._limit)
        # The rest of the line follows as output of the attempt.
        self._in_output = True
        return Oversized(line[:KEPT_BYTES_MAX]) if b'"detail-type"' in line[:4096] else line


def _split_lines(data: bytes) -> list[bytes]:
    # bytes.splitlines also splits at a carriage return.
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _move_output(output: list[bytes], items: list[Frame | Oversized | BadFrame | bytes]) -> None:
    if output:
        items.append(b"".join(output))
        output.clear()


def _frame_or_output(line: bytes, limit: int) -> Frame | Oversized | BadFrame | bytes:
    looks_like_frame = b'"detail-type"' in line[:4096]
    if len(line) > limit + 1:
        return Oversized(line[:KEPT_BYTES_MAX]) if looks_like_frame else line
    try:
        return parse_frame(line)
    except BadFrame as bad:
        return bad if looks_like_frame else line

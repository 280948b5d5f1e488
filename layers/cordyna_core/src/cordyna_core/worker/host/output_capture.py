"""Output capture: what an attempt wrote, as text in pieces, within its caps.

Invariant: the pieces of a stream, joined, are exactly what was written to it, except that
- a line with carriage returns keeps only its last segment (a progress bar's last state),
- bytes that are not UTF-8 are shown as `\\xNN`,
- beyond `head_bytes` only the last `tail_bytes` are kept, and the size of the rest is reported.

A piece ends with a newline, unless a line is longer than LINE_BYTES_MAX or the stream ended.
Feeding costs time linear in the bytes, also without any newline.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

LINE_BYTES_MAX: Final = 64 * 1024
_STDERR_KEPT: Final = 4096
_STDERR_LINES: Final = 20

Emit = Callable[[str, str], None]


class AttemptOutput:
    """The output of one attempt over all its streams.

    `emit(stream, text)` gets each piece, `report_cut(bytes)` how much was left out so far.
    """

    __slots__ = (
        "_emit", "_head_left", "_pending", "_report_cut", "_reported", "_stderr", "_tail",
        "_tail_max", "_tail_size", "cut_bytes",
    )  # fmt: skip

    def __init__(
        self, emit: Emit, report_cut: Callable[[int], None], *, head_bytes: int, tail_bytes: int
    ) -> None:
        self._emit, self._report_cut = emit, report_cut
        self._head_left, self._tail_max = head_bytes, tail_bytes
        self._pending: dict[str, bytearray] = {}
        self._tail: deque[tuple[str, bytes]] = deque()
        self._tail_size = 0
        self._stderr = b""
        self._reported = 0
        self.cut_bytes = 0

    def feed(self, stream: str, data: bytes) -> None:
        """Take what was written to `stream`."""
        if stream == "stderr":
            self._stderr = (self._stderr + data[-_STDERR_KEPT:])[-_STDERR_KEPT:]
        pending = self._pending.setdefault(stream, bytearray())
        cut = data.rfind(b"\n") + 1
        if cut:
            block = bytes(pending) + data[:cut]
            pending.clear()
            self._take(stream, _fold_lines(block))
            data = data[cut:]
        pending += data
        if b"\r" in data:
            pending[:] = _fold_unfinished(bytes(pending))
        if len(pending) > LINE_BYTES_MAX:
            pending[:] = _fold_unfinished(bytes(pending))
            size = _boundary(pending, len(pending))
            self._take(stream, bytes(pending[:size]))
            del pending[:size]

    def add_line(self, stream: str, text: str) -> None:
        """Add a whole line of text."""
        self._take(stream, text.encode("utf-8", "backslashreplace") + b"\n")

    def report(self) -> None:
        """Report how much was left out, if that has changed."""
        if self.cut_bytes != self._reported:
            self._reported = self.cut_bytes
            self._report_cut(self.cut_bytes)

    def close(self) -> None:
        """Emit what is still held back: unfinished lines, then the tail."""
        for stream, pending in self._pending.items():
            if pending:
                self._take(stream, _fold_lines(bytes(pending)))
        self._pending.clear()
        self.report()
        for stream, block in self._tail:
            self._emit(stream, _text(block))
        self._tail.clear()

    def last_stderr_lines(self) -> str:
        """Return the end of what was written to stderr: at most 20 lines and 4 KB."""
        return "\n".join(_text(self._stderr).splitlines()[-_STDERR_LINES:])

    def _take(self, stream: str, block: bytes) -> None:
        if self._head_left:
            if len(block) <= self._head_left:
                self._head_left -= len(block)
                self._emit(stream, _text(block))
                return
            # Whole lines, if one ends within the head; else whole characters.
            size = block.rfind(b"\n", 0, self._head_left) + 1 or _boundary(block, self._head_left)
            self._head_left = 0
            if size:
                self._emit(stream, _text(block[:size]))
            block = block[size:]
        self._keep_tail(stream, block)

    def _keep_tail(self, stream: str, block: bytes) -> None:
        self._tail.append((stream, block))
        self._tail_size += len(block)
        while self._tail_size > self._tail_max:
            oldest_stream, oldest = self._tail.popleft()
            excess = self._tail_size - self._tail_max
            # At least the excess, up to the next line.
            size = (oldest.find(b"\n", excess - 1) + 1) or len(oldest)
            self._tail_size -= size
            self.cut_bytes += size
            if size < len(oldest):
                self._tail.appendleft((oldest_stream, oldest[size:]))


def _text(block: bytes) -> str:
    return block.decode("utf-8", "backslashreplace")


def _fold_lines(block: bytes) -> bytes:
    """Complete lines, each reduced to what follows its last carriage return."""
    if b"\r" not in block:
        return block
    lines = block.split(b"\n")
    return b"\n".join(line.rstrip(b"\r").rpartition(b"\r")[2] for line in lines)


def _fold_unfinished(line: bytes) -> bytes:
    """Return an unfinished line, reduced likewise.

    A final carriage return may belong to a newline.
    """
    shown = line.rstrip(b"\r")
    return shown.rpartition(b"\r")[2] + (b"\r" if len(shown) < len(line) else b"")


def _boundary(data: bytes | bytearray, limit: int) -> int:
    """Return the largest size up to `limit` that splits no UTF-8 character."""
    size = min(limit, len(data))
    for back in range(1, min(4, size) + 1):
        byte = data[size - back]
        if byte & 0xC0 == 0x80:
            continue
        if byte < 0xC0:
            return size
        length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        return size - back if back < length and byte < 0xF8 else size
    return size

"""Start sender: held `started` updates of a Lambda, given to a process of their own.

A body may keep Python's global lock for as long as it likes, so no thread beside it can be relied
on to send `started` before the acknowledgement clock runs out (docs/adr/0024). The process
(`start_sender_process`) is started, not forked: the server's module may have started threads, and
what its parent writes after a fork is copied.

Invariant: an update is held only by a process that has answered. If it cannot be started, has not
answered yet, or dies, what it held and what follows is sent at once by this process. What it failed
to send is tried by both, until one of them has sent it.
"""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Final

from cordyna_core.aws import start_sender_process
from cordyna_core.aws.signed_event import SignedRequest
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.start_hold import Stop, not_sent, thread_timer

# Isolated, without `site`: neither the server's modules nor its settings of Python matter to it.
PROGRAM: Final = (sys.executable, "-I", "-S", start_sender_process.__file__)

ANSWER_MAX_S: Final = 5.0
"""How long the end of a body waits for an update that is just being sent."""

_READ_BYTES: Final = 65536

_log = logging.getLogger("cordyna.server")


class StartSender:
    """The process, and the updates that it holds.

    `sign` returns the request that sends one. `ready` is set from the first answer on.
    """

    def __init__(
        self,
        sign: Callable[[TaskStateChanged], SignedRequest],
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self._sign, self._program = sign, program
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.ready: Final = threading.Event()
        self._is_over = False
        self._numbers = count(1)
        self._held: dict[int, _HeldElsewhere] = {}

    def start(self) -> None:
        """Start the process, once, and do not wait for it. If it cannot be started, log why."""
        with self._lock:
            if self._process is not None or self._is_over:
                return
            try:
                self._process = subprocess.Popen(
                    self._program,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    bufsize=0,
                    process_group=0,
                )
            except OSError as failure:
                self._is_over = True
                _log_without(f"it was not started: {failure}")
                return
        os.set_blocking(_fd_of(self._process.stdin), False)
        self._reader = threading.Thread(
            target=self._read, args=(self._process,), name="start-sender", daemon=True
        )
        self._reader.start()

    def hold(self, delay_s: float, started: TaskStateChanged, send: Callable[[], bool]) -> Stop:
        """See start_hold.StartTimer."""
        number, held = next(self._numbers), _HeldElsewhere(delay_s, started, send)
        with self._lock:
            if self.ready.is_set():
                try:
                    request = self._sign(started)
                except Exception:  # noqa: BLE001  credentials may fail in any way
                    _log.warning("a held `started` was not signed: it is sent now", exc_info=True)
                else:
                    self._held[number] = held
                    self._write({"hold": number, "delay_s": delay_s, "request": request})
                    return lambda: self._take_back(number, held)
        held.send_here()
        return held.end

    def close(self) -> None:
        """End the process. What it holds is sent by this one."""
        with self._lock:
            self._is_over, process = True, self._process
        if process is not None:
            process.kill()
            self._reader.join()

    def _take_back(self, number: int, held: "_HeldElsewhere") -> bool:
        with self._lock:
            if number in self._held:
                self._write({"take_back": number})
        return held.end()

    def _write(self, asked: dict[str, Any]) -> None:
        assert self._process is not None, "it is ready"
        line = json.dumps(asked).encode() + b"\n"
        try:
            is_written = os.write(_fd_of(self._process.stdin), line) == len(line)
        except OSError:
            is_written = False
        if not is_written:
            # It is gone, or does not read. The reader sees its end, and sends what it held.
            self._process.kill()

    # -- the thread that reads the answers ------------------------------------------------------

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        try:
            for line in _lines(_fd_of(process.stdout)):
                self._handle(json.loads(line))
        finally:
            self._end(process)

    def _handle(self, answer: dict[str, Any]) -> None:
        if "ready" in answer:
            self.ready.set()
        elif "failed" in answer:
            _log.warning("a held `started` was not sent: %s", answer["why"])
            # The process tries again, too: a body may keep the lock, a signature may have expired.
            self._held[answer["failed"]].retry_here()
        else:
            self._release(answer)

    def _release(self, answer: dict[str, Any]) -> None:
        (number,) = answer.values()
        with self._lock:
            held = self._held.pop(number)
        held.answer(was_sent="sent" in answer)

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        """Send what the process held. Its number is freed."""
        process.kill()
        code = process.wait()
        with self._lock:
            self.ready.clear()
            is_unexpected = not self._is_over
            left, self._held = list(self._held.values()), {}
            for pipe in (process.stdin, process.stdout):
                # The server's own code may have closed it, as daemons do.
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
        if is_unexpected:
            _log_without(f"it ended with {code}")
        for held in left:
            held.send_here()


class _HeldElsewhere:
    """One update that the process holds, until it answers or this process sends it."""

    def __init__(self, delay_s: float, started: TaskStateChanged, send: Callable[[], bool]) -> None:
        self._delay_s, self._started, self._send_here = delay_s, started, send
        self._answered = threading.Event()
        self._was_sent = self._is_over = False
        self._stop: Stop = not_sent

    def answer(self, *, was_sent: bool) -> None:
        self._was_sent = was_sent
        self._answered.set()

    def send_here(self) -> None:
        """Send it now; if that fails, again after each delay, when the body lets a thread run."""
        if not self._send_here():
            self.retry_here()
        self.answer(was_sent=False)

    def retry_here(self) -> None:
        """Send it after each delay, too, until this process or the other one has sent it."""
        if self._stop is not_sent and not self._is_over:
            self._stop = thread_timer(self._delay_s, self._started, self._is_sent)

    def _is_sent(self) -> bool:
        return self._was_sent or self._send_here()

    def end(self) -> bool:
        """Wait for the answer; return whether the process has sent the update."""
        self._answered.wait(ANSWER_MAX_S)
        self._is_over = True
        self._stop()
        return self._was_sent


def _lines(fd: int) -> Iterator[bytes]:
    """Read lines until the pipe ends, or is closed by the server's own code."""
    unread = b""
    while data := _read_some(fd):
        *lines, unread = (unread + data).split(b"\n")
        yield from lines


def _read_some(fd: int) -> bytes:
    try:
        return os.read(fd, _READ_BYTES)
    except OSError:
        return b""


def _fd_of(pipe: Any) -> int:
    number: int = pipe.fileno()
    return number


def _log_without(why: str) -> None:
    _log.warning(
        "every `started` is sent at once from now on, because the process that holds them is gone: "
        "%s",
        why,
    )

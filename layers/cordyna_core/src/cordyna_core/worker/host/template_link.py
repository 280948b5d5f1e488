"""Template link: the host's side of a Python server's template, which forks bodies on request.

Invariant: the template waits for a body only when the host says so; after the death of the
template, the host supervises its bodies itself.
"""

import signal
import socket
from collections.abc import Callable
from typing import Any, Final

from cordyna_core.worker import processes
from cordyna_core.worker.host.channel import Channel
from cordyna_core.worker.host.children import Child
from cordyna_core.worker.host.output_capture import AttemptOutput
from cordyna_core.worker.host.pipes import OutputPipe
from cordyna_core.worker.host.services import Services
from cordyna_core.worker.host.starting import StartedPython
from cordyna_core.worker.host.transports import PythonTransport
from cordyna_core.worker.host.worker import Worker
from cordyna_core.worker.protocol import BadFrame, Frame, Oversized, frame_bytes, parse_frame

_SERVER_LOG_BYTES: Final = 1024 * 1024


class ServerLog:
    """What the processes of a server print outside of attempts: while they import, or idle."""

    def __init__(self, services: Services, target: str) -> None:
        self._output = AttemptOutput(
            lambda stream, text: services.link.event(
                "server_output", target=target, stream=stream, text=text, at=services.now()
            ),
            lambda size: None,
            head_bytes=1 << 62,
            tail_bytes=_SERVER_LOG_BYTES,
        )

    def feed(self, stream: str, data: bytes) -> None:
        """Take what was written."""
        self._output.feed(stream, data)

    def last_lines(self) -> str:
        """Return the end of stderr, for an error message."""
        return self._output.last_stderr_lines()

    def close(self) -> None:
        """Emit unfinished lines."""
        self._output.close()


class PythonProcess:
    """A Python process of a server: its child, its channel and its two log pipes."""

    def __init__(self, services: Services, log: ServerLog, started: StartedPython) -> None:
        self._services = services
        self.child = services.children.add(started.pid, lambda code: None)
        self.channel = Channel(services.loop, started.control, _ignore_line, _ignore_end)
        self._pipes = [
            self._pipe(started.stdout, "stdout", log),
            self._pipe(started.stderr, "stderr", log),
        ]

    def close(self) -> None:
        """The process has ended."""
        self.channel.close()
        for pipe in self._pipes:
            pipe.drain()
            pipe.close()

    def _pipe(self, fd: int, stream: str, log: ServerLog) -> OutputPipe:
        def feed(data: bytes) -> bool:
            log.feed(stream, data)
            return True

        services = self._services
        pipe = OutputPipe(
            services.loop, services.link, fd, feed=feed, on_end=_ignore_end,
            rest_s=services.settings.coalesce_s,
        )  # fmt: skip
        pipe.resume_reading()
        return pipe


class TemplateLink:
    """Asks a template for bodies. `on_frame` gets what it says while it loads."""

    def __init__(
        self,
        services: Services,
        process: PythonProcess,
        *,
        on_frame: Callable[[Frame], None],
        on_exit: Callable[[int], None],
    ) -> None:
        self._services, self._process = services, process
        self._on_frame, self._on_exit = on_frame, on_exit
        self._slots = 0
        self._forking: dict[int, Worker] = {}
        self._bodies: dict[int, Child] = {}
        process.channel.on_line = self._line
        process.child.on_exit = self._exited

    @property
    def pid(self) -> int:
        return self._process.child.pid

    def fork(self, worker: Worker) -> None:
        """Start a body for `worker`, which may be given work at once."""
        ours, theirs = socket.socketpair()
        channel = Channel(self._services.loop, ours, _ignore_line, _ignore_end)
        worker.transport = PythonTransport(self._services, channel, worker)
        worker.loaded()
        self._slots += 1
        self._forking[self._slots] = worker
        request = frame_bytes("Fork", {"slot": self._slots})
        self._process.channel.send(request, (theirs.detach(),))
        slot, timeout_s = self._slots, self._services.settings.template_timeout_s
        self._services.loop.timers.after(timeout_s, lambda: self._check_forked(slot))

    def _check_forked(self, slot: int) -> None:
        """End a template that does not answer: it is stopped, or hangs."""
        if slot in self._forking:
            self.kill()

    def ask_to_exit(self) -> None:
        """The template exits when its connection ends and its last body has been waited for."""
        self._process.channel.send(frame_bytes("Exit", {}))

    def kill(self) -> None:
        """SIGKILL the template."""
        self._process.child.signal_group(signal.SIGKILL)

    def _line(self, line: bytes | Oversized) -> None:
        if isinstance(line, Oversized):
            return
        try:
            frame = parse_frame(line)
        except BadFrame:
            return
        reactions: dict[str, Callable[[dict[str, Any]], None]] = {
            "Forked": self._forked,
            "ForkFailed": self._fork_failed,
            "BodyExited": self._body_exited,
        }
        react = reactions.get(frame.detail_type)
        if react is not None:
            react(frame.detail)
        else:
            self._on_frame(frame)

    def _forked(self, detail: dict[str, Any]) -> None:
        worker = self._forking.pop(detail["slot"])
        child = Child(detail["pid"], worker.process_exited, self._reap)
        self._bodies[child.pid] = child
        # An older cordyna-core in the server's own environment does not say when.
        worker.set_child(child, detail.get("at", 0.0))

    def _fork_failed(self, detail: dict[str, Any]) -> None:
        worker = self._forking.pop(detail["slot"])
        worker.could_not_start(f"the server could not fork a body: {detail['error']}")

    def _body_exited(self, detail: dict[str, Any]) -> None:
        child = self._bodies.get(detail["pid"])
        if child is not None:
            child.exited(detail["code"])

    def _reap(self, pid: int) -> None:
        self._bodies.pop(pid, None)
        self._process.channel.send(frame_bytes("Reap", {"pid": pid}))

    def _exited(self, code: int) -> None:
        """The template has ended: its bodies, if any are left, die with it."""
        self._process.channel.drain()
        self._process.close()
        self._process.child.reap()
        bodies, self._bodies = dict(self._bodies), {}
        # First of all, so that nothing more is asked of this template.
        self._on_exit(code)
        for child in bodies.values():
            self._services.children.adopt(child)
            child.signal_group(signal.SIGKILL)
        while self._forking:
            worker = self._forking.popitem()[1]
            worker.has_lost_starter(
                f"the server's template ended ({processes.describe_exit(code)})"
            )
        self._services.children.check()


def _ignore_line(line: bytes | Oversized) -> None:
    """Replaced before the first line is read."""


def _ignore_end() -> None:
    """The exit of the process is what counts."""

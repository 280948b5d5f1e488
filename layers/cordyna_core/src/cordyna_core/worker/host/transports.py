"""Transports: how the host talks to a worker, and where the worker's output comes from.

Invariant: `drain` reads everything that the worker wrote before the moment of the call, so that an
attempt's output is complete before its final state is handed on.
"""

import os
from collections.abc import Callable
from typing import Protocol

from cordyna_core.worker.host.channel import Channel
from cordyna_core.worker.host.output_capture import AttemptOutput
from cordyna_core.worker.host.pipes import InputPipe, OutputPipe
from cordyna_core.worker.host.services import Services
from cordyna_core.worker.host.starting import StartedExec
from cordyna_core.worker.protocol import BadFrame, Frame, Oversized, StdoutSplitter, parse_frame

Item = Frame | BadFrame | Oversized


class Listener(Protocol):
    """What a transport calls back."""

    def on_item(self, item: Item) -> None:
        """A frame, or a line that should have been one."""

    def on_connection_end(self) -> None:
        """The worker closed its side."""

    def on_output_end(self) -> None:
        """A pipe of the attempt's output has ended."""


class Transport(Protocol):
    """One worker's connection."""

    def start_attempt(self, frame: bytes, output: AttemptOutput) -> None: ...

    def send(self, frame: bytes) -> None: ...

    def read_frames(self) -> None:
        """Handle the frames that have arrived."""

    def drain_output(self) -> None: ...

    def has_open_output(self) -> bool:
        """Return whether a process may still write to the current attempt."""

    def close_output(self) -> None: ...

    def ask_to_exit(self) -> None: ...

    def close(self) -> None: ...


class PythonTransport:
    """A socket pair; every attempt gets two pipes of its own."""

    def __init__(self, services: Services, channel: Channel, listener: Listener) -> None:
        self._services, self._channel, self._listener = services, channel, listener
        self._pipes: list[OutputPipe] = []
        channel.on_line = self._on_line
        channel.on_end = self._ended
        services.link.add_frames(channel)

    def _on_line(self, line: bytes | Oversized) -> None:
        self._services.link.note_read(self._channel)
        self._listener.on_item(_parsed(line))

    def start_attempt(self, frame: bytes, output: AttemptOutput) -> None:
        stdout = os.pipe()
        try:
            stderr = os.pipe()
        except OSError:
            for end in stdout:
                os.close(end)
            raise
        # First of all: the rest is done while the body begins.
        self._channel.send(frame, (stdout[1], stderr[1]))
        self._pipes = [
            self._pipe(stdout[0], "stdout", output),
            self._pipe(stderr[0], "stderr", output),
        ]

    def send(self, frame: bytes) -> None:
        self._channel.send(frame)

    def read_frames(self) -> None:
        self._channel.drain()

    def drain_output(self) -> None:
        for pipe in self._pipes:
            pipe.drain()

    def has_open_output(self) -> bool:
        return any(pipe.is_open for pipe in self._pipes)

    def close_output(self) -> None:
        for pipe in self._pipes:
            pipe.close()

    def ask_to_exit(self) -> None:
        self._services.link.remove_source(self._channel)
        self._channel.close()

    def close(self) -> None:
        self.ask_to_exit()
        self.close_output()

    def _pipe(self, fd: int, stream: str, output: AttemptOutput) -> OutputPipe:
        def feed(data: bytes) -> bool:
            output.feed(stream, data)
            return True

        services = self._services
        pipe = OutputPipe(
            services.loop, services.link, fd, feed=feed, on_end=self._listener.on_output_end,
            rest_s=services.settings.coalesce_s,
        )  # fmt: skip
        pipe.read_soon()
        return pipe

    def _ended(self) -> None:
        self._services.link.remove_source(self._channel)
        self._listener.on_connection_end()


class ExecTransport:
    """Standard input and output of a program in any language.

    Between attempts, what it prints belongs to `between`, the server's own log.
    """

    def __init__(
        self,
        services: Services,
        started: StartedExec,
        listener: Listener,
        between: Callable[[str, bytes], None],
    ) -> None:
        self._listener, self._between = listener, between
        self._splitter = StdoutSplitter()
        self._output: AttemptOutput | None = None
        loop, link, rest_s = services.loop, services.link, services.settings.coalesce_s
        self._stdin = InputPipe(loop, started.stdin)
        self._stdout = OutputPipe(
            loop, link, started.stdout, feed=self._feed_stdout, on_end=self._stdout_ended,
            rest_s=rest_s,
        )  # fmt: skip
        self._stderr = OutputPipe(
            loop, link, started.stderr, feed=self._feed_stderr, on_end=listener.on_output_end,
            rest_s=rest_s,
        )  # fmt: skip
        self._stdout.resume_reading()
        self._stderr.resume_reading()

    def start_attempt(self, frame: bytes, output: AttemptOutput) -> None:
        self._output = output
        self._stdin.write(frame)

    def send(self, frame: bytes) -> None:
        self._stdin.write(frame)

    def read_frames(self) -> None:
        self._stdout.drain()

    def drain_output(self) -> None:
        self._stderr.drain()

    def has_open_output(self) -> bool:
        # The pipes are those of the worker, not of the attempt: nothing tells whether a child
        # of a finished attempt will write.
        return False

    def close_output(self) -> None:
        self._output = None

    def ask_to_exit(self) -> None:
        self._stdin.close()

    def close(self) -> None:
        self._stdin.close()
        self._stdout.close()
        self._stderr.close()

    def _feed_stdout(self, data: bytes) -> bool:
        has_frames = False
        for item in self._splitter.feed(data):
            if isinstance(item, bytes):
                self._write("stdout", item)
            else:
                has_frames = True
                self._listener.on_item(item)
        # A frame may follow a frame: they do not wait.
        return not has_frames

    def _feed_stderr(self, data: bytes) -> bool:
        self._write("stderr", data)
        return True

    def _stdout_ended(self) -> None:
        rest = self._splitter.end()
        if rest:
            self._write("stdout", rest)
        self._listener.on_connection_end()

    def _write(self, stream: str, data: bytes) -> None:
        if self._output is None:
            self._between(stream, data)
        else:
            self._output.feed(stream, data)


def _parsed(line: bytes | Oversized) -> Item:
    if isinstance(line, Oversized):
        return line
    try:
        return parse_frame(line)
    except BadFrame as bad:
        return bad

"""Template: the process that imports a Python server once, and forks its bodies.

It has one thread, waits for requests and for the end of bodies, and runs no user code after the
import. Where forking is not safe it becomes a body itself.

Invariant: a body is waited for only on request, so that its process number stays valid for the
host's signals.

Run by the host as `... SOCKET_FD SPEC`.
"""

import contextlib
import errno
import faulthandler
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from cordyna_core.worker import processes
from cordyna_core.worker.body import fork_safety
from cordyna_core.worker.body import output as body_output
from cordyna_core.worker.body.body import Body, leave
from cordyna_core.worker.body.channel import BodyChannel, ConnectionLost
from cordyna_core.worker.body.output import AttemptStreams, TaskLogHandler
from cordyna_core.worker.interrupts import Interrupts
from cordyna_core.worker.protocol import Frame
from cordyna_core.worker.python_server import ImportedServer
from cordyna_core.worker.spec import ServerSpec, spec_from_json

_Handlers = Mapping[signal.Signals, Any]
_FAILURE_CHARS_MAX: Final = 4096
_OWN_SIGNALS: Final = (signal.SIGCHLD, signal.SIGTERM)


def main() -> NoReturn:
    """Load a server and serve its host. See the module for the arguments."""
    fd, spec_text = sys.argv[1:3]
    spec = spec_from_json(spec_text)
    sys.argv[:] = [spec.target]
    faulthandler.enable()
    log = body_output.install(spec.log_format)
    interrupts = Interrupts()
    channel = BodyChannel(socket.socket(fileno=int(fd)), interrupts)
    streams = AttemptStreams(log)
    own_pid = os.getpid()
    try:
        server = _load(spec)
        declaration = json.loads(server.declaration())
    except BaseException as error:  # noqa: BLE001  an import may raise anything, also SystemExit
        _end_if_forked(own_pid)
        streams.flush()
        channel.send("LoadFailed", {"error": describe_load_failure(error)})
        leave(1)
    _end_if_forked(own_pid)
    streams.flush()
    channel.send("ServerDeclared", declaration, concurrency=server.concurrency)
    handlers = _take_over(streams)
    reason = _spawn_reason(spec, (channel.fileno(), *streams.fds, 0, 1, 2))
    mode = "spawn" if reason else "fork"
    channel.send("WorkerReady", {"mode": mode, "reason": reason})
    if reason:
        _give_back(handlers)
        Body(channel, streams, interrupts, server).serve()
    Template(channel, log, server, handlers).serve()


def _end_if_forked(own_pid: int) -> None:
    """End a process that the import forked, and that returned from it: there is one template."""
    if os.getpid() != own_pid:
        leave(0)


def _take_over(streams: AttemptStreams) -> _Handlers:
    """Undo what the import did to this process, where the template depends on it.

    Returns the signal handlers that bodies get again.
    """
    streams.reopen_closed()
    handlers = {number: signal.getsignal(number) for number in _OWN_SIGNALS}
    # A signal that is blocked could end no body, and with SIGCHLD ignored none is waited for.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return handlers


def _give_back(handlers: _Handlers) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler or signal.SIG_DFL)


def describe_load_failure(error: BaseException) -> str:
    """Return what a person needs to find the fault in the server's code."""
    if hasattr(error, "what") and hasattr(error, "next"):
        text = str(error)  # a UserError of the library says all
        if len(text) <= _FAILURE_CHARS_MAX:
            return text
        # An error's message may hold a whole document; what to do next is at the end.
        half = _FAILURE_CHARS_MAX // 2
        return f"{text[:half]} ... {text[-half:]}"
    lines = traceback.format_exception(error)
    return "".join(lines)[-_FAILURE_CHARS_MAX:].strip()


def _load(spec: ServerSpec) -> ImportedServer:
    module, _, name = spec.load.partition(":")
    load: Callable[[str], ImportedServer] = getattr(importlib.import_module(module), name)
    return load(spec.target)


def _spawn_reason(spec: ServerSpec, own_fds: tuple[int, ...]) -> str:
    if spec.isolation == "spawn":
        return "isolation is spawn"
    if spec.isolation == "fork":
        return ""
    return fork_safety.unsafe_reason(own_fds)


class Template:
    """Forks bodies on request."""

    def __init__(
        self,
        channel: BodyChannel,
        log: TaskLogHandler,
        server: ImportedServer,
        handlers: _Handlers,
    ) -> None:
        self._channel, self._log, self._server = channel, log, server
        self._handlers = handlers
        self._bodies: dict[int, bool] = {}
        self._is_leaving = False
        self._wakeup = os.pipe()
        for end in self._wakeup:
            os.set_blocking(end, False)
            os.set_inheritable(end, False)  # noqa: FBT003

    def serve(self) -> NoReturn:
        """Serve until the host closes the connection, or asks to exit."""
        for number in _OWN_SIGNALS:
            signal.signal(number, _only_wake)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        gc.collect()
        # Objects of the import are left out of collections: their pages stay shared with bodies.
        gc.freeze()
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        poll.register(self._wakeup[0], select.POLLIN)
        try:
            while self._bodies or not self._is_leaving:
                self._turn(poll)
        except ConnectionLost:
            self._kill_bodies()
        leave(0)

    def _turn(self, poll: "select.poll") -> None:
        for fd, _ in poll.poll():
            if fd == self._channel.fileno():
                for frame in self._received():
                    self._handle(frame)
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(fd, 4096)
                self._report_exits()

    def _received(self) -> list[Frame]:
        return [self._channel.receive(), *self._channel.poll()]

    def _handle(self, frame: Frame) -> None:
        if frame.detail_type == "Fork":
            self._fork(frame.detail["slot"], *self._channel.take_fds(1))
        elif frame.detail_type == "Reap":
            pid = frame.detail["pid"]
            if self._bodies.pop(pid, None) is not None:
                with contextlib.suppress(ChildProcessError):  # see processes.exit_code_of
                    os.waitpid(pid, 0)
        elif frame.detail_type == "Exit":
            self._is_leaving = True

    def _fork(self, slot: int, fd: int) -> None:
        template, forked_at = os.getpid(), time.monotonic()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(fd)
            message = f"{errno.errorcode.get(error.errno or 0, 'OSError')}: {error.strerror}"
            self._channel.send("ForkFailed", {"slot": slot, "error": message})
            return
        if pid == 0:
            self._become_body(fd, template)
        os.close(fd)
        with contextlib.suppress(OSError):
            # Also done by the body; here so that the host can signal the group at once.
            os.setpgid(pid, pid)
        self._bodies[pid] = False
        self._channel.send("Forked", {"slot": slot, "pid": pid, "at": forked_at})

    def _become_body(self, fd: int, template: int) -> NoReturn:
        try:
            processes.die_with_parent(template)
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for end in self._wakeup:
                os.close(end)
            _give_back(self._handlers)
            self._channel.close_in_child()
            interrupts = Interrupts()
            channel = BodyChannel(socket.socket(fileno=fd), interrupts)
            Body(channel, AttemptStreams(self._log), interrupts, self._server).serve()
        except BaseException:  # noqa: BLE001  a body must never return into the template's loop
            traceback.print_exc()
        os._exit(1)

    def _report_exits(self) -> None:
        for pid, is_reported in list(self._bodies.items()):
            if is_reported:
                continue
            code = processes.exit_code_of(pid)
            if code is not None:
                self._bodies[pid] = True
                self._channel.send("BodyExited", {"pid": pid, "code": code})

    def _kill_bodies(self) -> None:
        """The host is gone: its bodies go too."""
        for pid in self._bodies:
            processes.signal_group(pid, signal.SIGKILL)


def _only_wake(signum: int, frame: object) -> None:
    """The wakeup descriptor says that a body may have ended."""


if __name__ == "__main__":
    main()

"""Body: runs attempts in this process, one after another, until the host closes the connection.

Invariant: an attempt's final frame is sent after its output has been flushed and descriptors 1 and
2 lead elsewhere; nothing of the attempt follows. The frame says whether the process is still clean,
or, if the host has asked for that, the next one does. A process that user code forks never speaks
to the host, and ends where the body would continue.
"""

import atexit
import contextvars
import json
import os
import random  # noqa: TID251  a body is given the randomness of a new process
import signal
import sys
import traceback
from typing import Any, Final, NoReturn

from cordyna_core.worker import processes
from cordyna_core.worker.body.cancellation import BodyCancellation
from cordyna_core.worker.body.channel import BodyChannel, ConnectionLost
from cordyna_core.worker.body.cleanliness import Baseline, take_baseline, unclean_reason
from cordyna_core.worker.body.multiprocessing_servers import (
    background_pids,
    stop_background_processes,
)
from cordyna_core.worker.body.output import AttemptStreams
from cordyna_core.worker.interrupts import Interrupts
from cordyna_core.worker.protocol import Frame, frame_from_json
from cordyna_core.worker.python_server import ImportedServer

_SEED_BYTES: Final = 32
# Bound here: user code may replace them.
_dumps: Final = json.dumps
_getpid: Final = os.getpid
_exit: Final = os._exit


class Body:
    """One body process."""

    def __init__(
        self,
        channel: BodyChannel,
        streams: AttemptStreams,
        interrupts: Interrupts,
        server: ImportedServer,
    ) -> None:
        self._channel, self._streams, self._interrupts = channel, streams, interrupts
        self._server = server
        self._pid = os.getpid()
        self._final: str | None = None
        self._helpers = background_pids()

    def serve(self) -> NoReturn:
        """Run attempts until the connection ends, then exit."""
        processes.become_subreaper()
        processes.raise_oom_score()
        self._interrupts.install()
        os.register_at_fork(after_in_child=self._in_forked_child)
        baseline = take_baseline()
        code = 0
        try:
            while True:
                # Before it waits: what can be done between attempts delays none of them.
                reseed()
                frame = self._channel.receive()
                if frame.detail_type == "RunTask":
                    self._run(frame, baseline)
        except (ConnectionLost, SystemExit):
            pass
        except BaseException:  # noqa: BLE001  shown in the server's log before the process ends
            traceback.print_exc()
            code = 1
        leave(code)

    def _run(self, frame: Frame, baseline: Baseline) -> None:
        detail = frame.detail
        self._final = None
        self._streams.attach(self._channel.take_fds(2), self._write_log)
        # A context of its own: what the attempt sets in context variables ends with it.
        run = contextvars.copy_context().run
        try:
            with self._interrupts.running():
                run(self._server.run, detail, self._publish, BodyCancellation(self._channel))
        except BaseException as error:  # noqa: BLE001  whatever user code raises past the server
            if self._final is None:
                self._final = _dumps(_failed(detail, error))
        if _getpid() != self._pid:
            # User code forked, and both processes returned.
            self._streams.flush()
            _exit(0)
        stop_background_processes(self._helpers)
        could_detach = self._streams.detach()
        kind = "TaskStateChanged" if self._final else "AttemptSkipped"
        final = self._final or _dumps(_identity(detail))
        if not could_detach:
            self._channel.send_line(frame_from_json(kind, final, unclean="closed descriptors"))
            leave(0)
        if frame.fields.get("check_later") is True:
            self._channel.send_line(frame_from_json(kind, final, is_checked=False))
            self._channel.send("WorkerChecked", {"unclean": unclean_reason(baseline)})
        else:
            unclean = unclean_reason(baseline)
            extra = {"unclean": unclean} if unclean else {}
            self._channel.send_line(frame_from_json(kind, final, **extra))

    def _publish(self, detail_type: str, detail: str, is_final: bool) -> None:  # noqa: FBT001
        """The server's bus: the final state is kept until the attempt's output is complete."""
        if is_final:
            self._final = self._final or detail
        else:
            self._channel.send_line(frame_from_json(detail_type, detail))

    def _write_log(self, line: str) -> None:
        if os.getpid() == self._pid:
            self._channel.send("TaskLogged", {"text": line})
        else:
            print(line, file=sys.stderr)  # noqa: T201  a forked process has no connection

    def _in_forked_child(self) -> None:
        """In a process that user code forks: be an ordinary process."""
        self._channel.close_in_child()
        if self._interrupts.is_installed():
            # Else Process.terminate() would raise instead of ending the process.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def leave(code: int) -> NoReturn:
    """End this process as a Python program ends, but without waiting for threads."""
    try:
        atexit._run_exitfuncs()  # noqa: SLF001  the only way to run them before os._exit
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        _exit(code)


def reseed() -> None:
    """New random numbers for every attempt: processes that were forked share their parent's."""
    # Of as many bits as matter: the default asks the system for 2,500 bytes.
    random.seed(os.urandom(_SEED_BYTES))
    numpy = sys.modules.get("numpy")
    if numpy is not None and "numpy.random" in sys.modules:
        numpy.random.seed()
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "seed"):
        torch.seed()


def _failed(detail: dict[str, Any], error: BaseException) -> dict[str, Any]:
    """Return the final state for an exception that the server let through."""
    # The traceback module writes it without failing: "type: message", or the type alone.
    line = traceback.format_exception_only(error)[-1].strip()
    description = {
        "type": type(error).__name__[:256],
        "message": line.partition(": ")[2][:1024],
        "retryable": True,
    }
    return {**_identity(detail), "state": "error", "reason": "failed", "error": description}


def _identity(detail: dict[str, Any]) -> dict[str, Any]:
    return {name: detail.get(name) for name in ("server", "run_id", "task", "attempt")}

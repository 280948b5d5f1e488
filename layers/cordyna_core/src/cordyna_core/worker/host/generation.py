"""Generation: one load of a server, and the workers that run its tasks.

A generation of a Python server begins as a template. Where forking is safe it stays one; else the
process becomes the first worker, and further workers are processes that import the server again.
A generation of an `exec:` server has workers only.

Invariant: `on_declared` or `on_load_failed` is called once, and not at all after `drop`.
"""

import errno
import signal
from typing import Any, Final, Protocol

from cordyna_core.worker import processes
from cordyna_core.worker.host.attempt_record import AttemptRecord
from cordyna_core.worker.host.load_clock import LoadClock
from cordyna_core.worker.host.services import Services
from cordyna_core.worker.host.starting import describe_start_error, start_exec, start_python
from cordyna_core.worker.host.template_link import PythonProcess, ServerLog, TemplateLink
from cordyna_core.worker.host.transports import ExecTransport, PythonTransport
from cordyna_core.worker.host.worker import Worker
from cordyna_core.worker.protocol import BadFrame, Frame, concurrency_of
from cordyna_core.worker.spec import ServerSpec

_SHORTAGES: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""Errors of a system that has no room for a process now, and may have later."""


class GenerationOwner(Protocol):
    """What a generation reports to: its server's entry."""

    def on_declared(self, generation: "Generation") -> None: ...

    def on_load_failed(
        self, generation: "Generation", error: str, *, is_transient: bool = False
    ) -> None:
        """`is_transient`: the process was killed, which says nothing about the server's code."""

    def on_template_died(self, generation: "Generation", code: int) -> None: ...

    def on_free_worker(self, generation: "Generation") -> None:
        """A worker is idle, or there is room for one."""

    def on_attempt_released(self, attempt: AttemptRecord, outcome: str) -> None: ...

    def on_attempt_unstarted(self, attempt: AttemptRecord) -> None:
        """No process could be started for it: it waits again."""

    def on_generation_empty(self, generation: "Generation") -> None:
        """A retired generation has no process left."""


class Generation:
    """See the module."""

    def __init__(self, services: Services, owner: GenerationOwner, spec: ServerSpec, number: int):
        self._services, self._owner, self.spec, self.number = services, owner, spec, number
        self.log = ServerLog(services, spec.target)
        self.declaration: dict[str, Any] | None = None
        self.mode = "exec" if spec.is_exec else "fork"
        self.mode_reason = ""
        self.concurrency: int | None = None
        self.is_retired = False
        self.has_failed = False
        self.workers: dict[Worker, None] = {}
        self._processes: dict[Worker, PythonProcess] = {}
        self._worker_clocks: dict[Worker, LoadClock] = {}
        self._template: TemplateLink | None = None
        self._first: PythonProcess | None = None
        self._load_clock = LoadClock(services.loop, services.settings, self._load_timed_out)
        self._load_error = ""
        self._is_resting = False
        self._rest_s = services.settings.restart_min_s

    @property
    def can_start_worker(self) -> bool:
        """Whether the last worker started, or failed to long enough ago."""
        return not self._is_resting

    @property
    def idle(self) -> Worker | None:
        """A worker that can be given work: the one used last, so that others may end."""
        return next((w for w in reversed(self.workers) if w.phase == "idle"), None)

    @property
    def active_count(self) -> int:
        """Workers that hold a place."""
        return sum(worker.phase not in ("ending", "gone") for worker in self.workers)

    @property
    def checking_count(self) -> int:
        """Workers that will be idle in a moment."""
        return sum(worker.is_checking for worker in self.workers)

    @property
    def pids(self) -> list[int]:
        """The processes, for people."""
        worker_pids = [worker.pid for worker in self.workers if worker.pid is not None]
        return worker_pids if self._template is None else [self._template.pid, *worker_pids]

    def start(self) -> None:
        """Start the first process."""
        try:
            if self.spec.is_exec:
                self._start_exec()
            else:
                self._start_template()
        except (OSError, ValueError) as error:
            is_transient = isinstance(error, OSError) and error.errno in _SHORTAGES
            why = describe_start_error(self.spec, error)
            self._fail(f"{self.spec.target} could not be started: {why}", is_transient=is_transient)

    def start_worker(self) -> None:
        """Start one more worker. It is idle at once, or when it has loaded."""
        try:
            if self.mode == "exec":
                self._start_exec()
            elif self.mode == "fork" and self._template is not None:
                worker = Worker(self._services, self)
                self._template.fork(worker)
                self.workers[worker] = None
            else:
                self._start_spawned()
        except (OSError, ValueError) as error:
            why = describe_start_error(self.spec, error)
            self._worker_failed(f"a worker of {self.spec.target} could not be started: {why}")

    def retire(self) -> None:
        """Take no more work, and end when the last attempt has."""
        self.is_retired = True
        for worker in list(self.workers):
            if worker.phase in ("idle", "loading"):
                worker.retire()
        self._check_empty()

    def drop(self) -> None:
        """End every process now, and do not report how the load ended."""
        self._load_clock.stop()
        self.has_failed = True
        self.log.close()
        self._kill()

    def _kill(self) -> None:
        for worker in list(self.workers):
            worker.kill()
        if self._template is not None:
            self._template.kill()

    # -- processes ----------------------------------------------------------------------------

    def _start_template(self) -> None:
        started = start_python(self.spec, self._services.token)
        self._watch_load(started.pid)
        process = self._first = PythonProcess(self._services, self.log, started)
        self._template = TemplateLink(
            self._services, process, on_frame=self._template_frame, on_exit=self._template_exited
        )

    def _start_spawned(self) -> None:
        spec = self.spec._replace(isolation="spawn")
        started = start_python(spec, self._services.token)
        worker = self._use_as_worker(PythonProcess(self._services, self.log, started))
        self._limit_load(worker, started.pid)

    def _use_as_worker(self, process: PythonProcess) -> Worker:
        worker = Worker(self._services, self)
        self.workers[worker] = None
        self._processes[worker] = process
        worker.transport = PythonTransport(self._services, process.channel, worker)
        worker.set_child(process.child)
        return worker

    def _start_exec(self) -> None:
        started = start_exec(self.spec, self._services.token)
        worker = Worker(self._services, self)
        self._limit_load(worker, started.pid)
        self.workers[worker] = None
        worker.transport = ExecTransport(self._services, started, worker, self.log.feed)
        worker.set_child(self._services.children.add(started.pid, worker.process_exited))

    # -- loading ------------------------------------------------------------------------------

    def _watch_load(self, pid: int) -> None:
        self._load_clock.watch(lambda: processes.progress_of(pid))

    def _limit_load(self, worker: Worker, pid: int) -> None:
        """Watch the load of this worker; one that is not the first has a clock of its own."""
        if self._load_clock.is_running:
            self._watch_load(pid)
            return

        def time_out(seconds: float) -> None:
            self._load_error = self._without_declaration(seconds)
            worker.kill()

        clock = LoadClock(self._services.loop, self._services.settings, time_out)
        clock.watch(lambda: processes.progress_of(pid))
        self._worker_clocks[worker] = clock

    def _stop_clock(self, worker: Worker) -> None:
        clock = self._worker_clocks.pop(worker, None)
        if clock is not None:
            clock.stop()

    def _without_declaration(self, seconds: float) -> str:
        return f"{self.spec.target} sent no ServerDeclared within {seconds:g} s"

    def _template_frame(self, frame: Frame) -> None:
        detail = frame.detail
        if frame.detail_type == "ServerDeclared":
            self._take_declaration(frame)
        elif frame.detail_type == "LoadFailed":
            self._load_error = str(detail.get("error"))
        elif frame.detail_type == "WorkerReady":
            self.mode, self.mode_reason = detail["mode"], detail["reason"]
            if self.mode == "spawn":
                self._become_first_worker()
            self._declared()

    def _take_declaration(self, frame: Frame) -> bool:
        """Adopt what the server says of itself. False, and loading fails, if it cannot be."""
        try:
            self.concurrency = concurrency_of(frame)
        except BadFrame as bad:
            self._fail(f"{self.spec.target} was refused: {bad}")
            return False
        self.declaration = frame.detail
        return True

    def _become_first_worker(self) -> None:
        process = self._first
        assert process is not None
        self._template = None
        self._use_as_worker(process).loaded()

    def _declared(self) -> None:
        if self._load_clock.is_running:
            self._load_clock.stop()
            self._owner.on_declared(self)

    def _load_timed_out(self, seconds: float) -> None:
        self._fail(self._without_declaration(seconds))

    def _fail(self, error: str, *, is_transient: bool = False) -> None:
        if not self._load_clock.is_running:
            return
        self.drop()
        self._owner.on_load_failed(self, error, is_transient=is_transient)

    def _ended_while_loading(self, code: int | None) -> str:
        ended = f"{self.spec.target} ended while it was loaded"
        if code is not None:
            ended += f": {processes.describe_exit(code)}"
        lines = self.log.last_lines()
        return f"{ended}\n{lines}" if lines else ended

    def _template_exited(self, code: int) -> None:
        self._template = None
        if self._load_clock.is_running:
            error = self._load_error or self._ended_while_loading(code)
            self._fail(error, is_transient=_was_killed(code))
        elif self.is_retired or self.has_failed:
            self._check_empty()
        else:
            self._owner.on_template_died(self, code)

    def _worker_failed(self, error: str, *, is_transient: bool = False) -> None:
        if self._load_clock.is_running:
            self._fail(error, is_transient=is_transient)
        else:
            self._services.link.event("worker_failed", target=self.spec.target, error=error)
            self._rest()

    def _rest(self) -> None:
        """Start no worker for a while, twice as long as the last time."""
        if self._is_resting:
            return
        self._is_resting = True
        self._services.loop.timers.after(self._rest_s, self._rested)
        self._rest_s = min(2 * self._rest_s, self._services.settings.restart_max_s)

    def _rested(self) -> None:
        self._is_resting = False
        self._owner.on_free_worker(self)

    def _check_empty(self) -> None:
        if not self.is_retired or self.workers:
            return
        if self._template is not None:
            self._template.ask_to_exit()
        else:
            self.log.close()
            self._owner.on_generation_empty(self)

    # -- what workers report ------------------------------------------------------------------

    def on_worker_frame(self, worker: Worker, frame: Frame) -> None:
        """See WorkerOwner. Unknown frames are ignored, as the protocol says."""
        if worker.phase != "loading":
            return
        if frame.detail_type == "LoadFailed":
            self._load_error = str(frame.detail.get("error"))
        elif frame.detail_type == "ServerDeclared" and self.mode == "exec":
            self._exec_declared(worker, frame)
        elif frame.detail_type == "WorkerReady":
            worker.loaded()
            self.on_worker_idle(worker)

    def on_unreadable_frame(self, worker: Worker, why: str) -> None:
        """See WorkerOwner. Without its first frame a worker cannot be used."""
        if worker.phase != "loading":
            return
        error = f"{self.spec.target} was refused: its first frame cannot be read: {why}"
        if self._load_clock.is_running:
            self._fail(error)
        else:
            self._load_error = error
            worker.kill()

    def _exec_declared(self, worker: Worker, frame: Frame) -> None:
        if self.declaration is None:
            if not self._take_declaration(frame):
                return
        elif frame.detail.get("server") != self.declaration.get("server"):
            expected, declared = self.declaration.get("server"), frame.detail.get("server")
            self._load_error = f'it declared server "{declared}", but before server "{expected}"'
            worker.kill()
            return
        worker.loaded()
        self._declared()
        self.on_worker_idle(worker)

    def on_worker_idle(self, worker: Worker) -> None:
        """See WorkerOwner."""
        self._stop_clock(worker)
        self._rest_s = self._services.settings.restart_min_s
        if self.is_retired:
            worker.retire()
        else:
            self._owner.on_free_worker(self)

    def on_worker_leaving(self, worker: Worker) -> None:
        """See WorkerOwner."""
        if worker.has_loaded and not self.is_retired:
            self._owner.on_free_worker(self)

    def on_worker_stuck(self, worker: Worker) -> None:
        """See WorkerOwner."""
        if self._template is not None:
            self._template.kill()

    def on_worker_gone(self, worker: Worker) -> None:
        """See WorkerOwner."""
        self.workers.pop(worker, None)
        self._stop_clock(worker)
        process = self._processes.pop(worker, None)
        if process is not None:
            process.close()
        if not worker.has_loaded and not self.is_retired and not self.has_failed:
            code = worker.exit_code
            error, self._load_error = self._load_error or self._ended_while_loading(code), ""
            self._worker_failed(error, is_transient=_was_killed(code))
        self._check_empty()

    def on_attempt_unstarted(self, attempt: AttemptRecord, why: str) -> None:
        """See WorkerOwner."""
        self._worker_failed(why)
        self._owner.on_attempt_unstarted(attempt)

    def on_attempt_released(self, attempt: AttemptRecord, outcome: str) -> None:
        """See WorkerOwner."""
        self._owner.on_attempt_released(attempt, outcome)


def _was_killed(code: int | None) -> bool:
    """Return whether a process was ended from outside; a crash of its own is not."""
    return code is not None and -code in (signal.SIGKILL, signal.SIGTERM)

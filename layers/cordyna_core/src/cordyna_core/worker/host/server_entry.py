"""Server entry: the queue of one configured server, and the generations that serve it.

Invariant: a command is given to a worker of the current generation only, at most `concurrency` at a
time, never twice at once, and never while an earlier attempt of the same task run may still run.
"""

from typing import Any, Final, Protocol

from cordyna_core.worker import verdicts
from cordyna_core.worker.host.attempt_record import AttemptRecord
from cordyna_core.worker.host.generation import Generation
from cordyna_core.worker.host.services import Services
from cordyna_core.worker.host.worker import Worker
from cordyna_core.worker.protocol import AttemptKey, frame_bytes
from cordyna_core.worker.spec import DEFAULT_CONCURRENCY, ServerSpec, name_taken

_NO_NAME: Final = "it names no server"
_ACK_SHARE: Final = 4
"""`queued` is published after a quarter of the time for it, at the latest."""


class EntryOwner(Protocol):
    """What an entry reports to: the host."""

    def claim_name(self, entry: "ServerEntry", server: str) -> str | None:
        """Route this server's commands to the entry. Returns the other target that has the name.

        Of two that load for the first time, the one that was started first gets it, whichever is
        faster.
        """

    def on_quiet(self) -> None:
        """An attempt or a generation has ended."""


class ServerEntry:
    """See the module."""

    def __init__(self, services: Services, owner: EntryOwner, spec: ServerSpec) -> None:
        self._services, self._owner, self.spec = services, owner, spec
        self.server: str | None = None
        self._generations: dict[Generation, None] = {}
        self._current: Generation | None = None
        self._next: Generation | None = None
        self._count = 0
        self._waiting: dict[AttemptKey, AttemptRecord] = {}
        self._running: dict[AttemptKey, AttemptRecord] = {}
        self._is_draining = self._will_restart = False
        self.is_unused = True
        """Whether it was given no command yet."""
        self._restart_delay_s = services.settings.restart_min_s

    @property
    def concurrency(self) -> int:
        """How many attempts may run at the same time."""
        current = self._current
        declared = current.concurrency if current is not None else None
        return (
            self.spec.concurrency
            or (declared if isinstance(declared, int) else 0)
            or DEFAULT_CONCURRENCY
        )

    @property
    def running_count(self) -> int:
        """Attempts that were given to a worker, and are not released."""
        return len(self._running)

    @property
    def is_loading(self) -> bool:
        """Whether it is loading and has not been loaded before."""
        return self._current is None and (self._next is not None or self._will_restart)

    # -- loading ------------------------------------------------------------------------------

    def load(self, spec: ServerSpec | None = None) -> None:
        """Load the server, or load it again; what is loaded serves until then."""
        if spec is not None:
            self.spec = spec
        if self._next is not None:
            # It began before the files changed again.
            self._drop(self._next)
        self._count += 1
        self._next = Generation(self._services, self, self.spec, self._count)
        self._generations[self._next] = None
        self._next.start()

    def on_declared(self, generation: Generation) -> None:
        """See generation.GenerationOwner."""
        detail = generation.declaration or {}
        server = detail.get("server")
        other = self._owner.claim_name(self, server) if isinstance(server, str) else None
        if generation is not self._next:
            return
        if not isinstance(server, str) or other is not None:
            self._drop(generation)
            self.on_load_failed(
                generation, name_taken(server, other) if other is not None else _NO_NAME
            )
            return
        previous, self._current, self._next = self._current, generation, None
        self.server = server
        self._restart_delay_s = self._services.settings.restart_min_s
        self._services.link.event(
            "declared", target=self.spec.target, server=server, detail=detail,
            mode=generation.mode, mode_reason=generation.mode_reason,
            concurrency=self.concurrency, generation=generation.number,
        )  # fmt: skip
        if previous is not None:
            previous.retire()
        self._dispatch()

    def yield_name(self, other: str) -> None:
        """Serve no longer: another target has the name of this server. Only while unused."""
        current, self._current = self._current, None
        server, self.server = self.server, None
        if current is not None:
            self._drop(current)
            self.on_load_failed(current, name_taken(server, other))

    def on_load_failed(
        self, generation: Generation, error: str, *, is_transient: bool = False
    ) -> None:
        """See generation.GenerationOwner."""
        if generation is self._next:
            self._next = None
        self._generations.pop(generation, None)
        self._services.link.event(
            "load_failed", target=self.spec.target, server=self.server, error=error,
            still_serving=self._current is not None,
        )  # fmt: skip
        if self._current is None:
            if not is_transient:
                self._end_waiting("not_loaded")
            if is_transient or self.server is not None:
                self._restart_later()
        self._owner.on_quiet()

    def on_template_died(self, generation: Generation, code: int) -> None:
        """See generation.GenerationOwner."""
        generation.retire()
        if generation is self._current:
            self._current = None
            self._restart_later()

    def on_generation_empty(self, generation: Generation) -> None:
        """See generation.GenerationOwner."""
        self._generations.pop(generation, None)
        self._owner.on_quiet()

    def _restart_later(self) -> None:
        if self._is_draining:
            return
        self._will_restart = True
        delay_s = self._restart_delay_s
        self._restart_delay_s = min(2 * delay_s, self._services.settings.restart_max_s)
        self._services.loop.timers.after(delay_s, self._restart)

    def _restart(self) -> None:
        self._will_restart = False
        if self._current is None and self._next is None and not self._is_draining:
            self.load()

    def _drop(self, generation: Generation) -> None:
        generation.drop()
        self._generations.pop(generation, None)

    # -- commands -----------------------------------------------------------------------------

    def run(self, attempt: AttemptRecord) -> None:
        """Queue a command, and give it to a worker as soon as one is free."""
        key = attempt.command.key
        self.is_unused = False
        if key in self._running or key in self._waiting:
            return
        self._waiting[key] = attempt
        self._dispatch()
        if key in self._waiting:
            self._acknowledge_later(attempt)

    def cancel(self, key: AttemptKey, frame: bytes, grace_s: float) -> None:
        """Cancel a waiting attempt at once, a running one by its worker."""
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            self._ended_unstarted(waiting, "cancelled")
            return
        for worker in self._workers():
            if worker.attempt is not None and worker.attempt.command.key == key:
                worker.cancel(frame, grace_s)

    def drain(self) -> None:
        """Start no further attempt."""
        self._is_draining = True
        self._end_waiting("drain")

    def stop_all(self) -> None:
        """End every running attempt by signals, without an answer."""
        for worker in self._workers():
            worker.stop("drain")

    def busy_workers(self) -> list[Worker]:
        """Return the workers that run an attempt."""
        return [worker for worker in self._workers() if worker.attempt is not None]

    def retire_all(self) -> None:
        """End all generations softly; one that is loading has nothing to end, and is killed."""
        self._is_draining = True
        if self._next is not None:
            self._drop(self._next)
            self._next = None
        for generation in list(self._generations):
            generation.retire()

    @property
    def is_empty(self) -> bool:
        """Whether no process is left."""
        return not self._generations

    def snapshot(self) -> dict[str, Any]:
        """For `dyna servers` and `dyna why`."""
        current = self._current
        return {
            "target": self.spec.target,
            "server": self.server,
            "state": "ready" if current else "loading" if self._next else "failed",
            "mode": current.mode if current else None,
            "mode_reason": current.mode_reason if current else "",
            "concurrency": self.concurrency,
            "running": [list(key) for key in self._running],
            "waiting": [list(key) for key in self._waiting],
            "pids": [pid for generation in self._generations for pid in generation.pids],
        }

    # -- dispatching --------------------------------------------------------------------------

    def on_free_worker(self, generation: Generation) -> None:
        """See generation.GenerationOwner."""
        if generation is self._current:
            self._dispatch()

    def on_attempt_unstarted(self, attempt: AttemptRecord) -> None:
        """See generation.GenerationOwner."""
        self._running.pop(attempt.command.key, None)
        if attempt.cancel_requested:
            self._ended_unstarted(attempt, "cancelled")
        elif self._is_draining:
            self._ended_unstarted(attempt, "drain")
        else:
            # The first again.
            self._waiting = {attempt.command.key: attempt, **self._waiting}
            self._acknowledge_later(attempt)
        self._owner.on_quiet()

    def on_attempt_released(self, attempt: AttemptRecord, outcome: str) -> None:
        """See generation.GenerationOwner."""
        self._running.pop(attempt.command.key, None)
        if not attempt.is_end_reported:
            command = attempt.command
            self._services.link.ended(key=command.key, server=command.server, outcome=outcome)
        # What was held for this attempt may start: not from within its worker's own handling.
        if self._waiting:
            self._services.loop.timers.after(0, self._dispatch)
        self._owner.on_quiet()

    def _dispatch(self) -> None:
        generation = self._current
        while generation is not None and not self._is_draining:
            attempt = self._next_waiting()
            if attempt is None:
                return
            worker = generation.idle
            if worker is None:
                if generation.active_count >= self.concurrency or not generation.can_start_worker:
                    return
                if len(self._waiting) <= generation.checking_count:
                    return  # one of them is idle in a moment
                generation.start_worker()
                worker = generation.idle
                if worker is None:  # it is loading
                    return
            self._give(worker, attempt)

    def _give(self, worker: Worker, attempt: AttemptRecord) -> None:
        del self._waiting[attempt.command.key]
        attempt.cancel_timers()
        self._running[attempt.command.key] = attempt
        attempt.is_alone = len(self._running) == 1 and not self._waiting
        worker.run(attempt)

    def _next_waiting(self) -> AttemptRecord | None:
        """Return the first command that may start. Stale ones are dropped on the way."""
        busy = {key[:2] for key in self._running}
        for key, attempt in list(self._waiting.items()):
            if attempt.is_stale():
                del self._waiting[key]
                self._ended_unstarted(attempt, "stale")
            elif key[:2] not in busy:
                return attempt
        return None

    def _acknowledge_later(self, attempt: AttemptRecord) -> None:
        left_s = attempt.command.ack_by - attempt.now()
        delay_s = min(self._services.settings.queued_after_s, max(0.0, left_s) / _ACK_SHARE)
        timers = self._services.loop.timers
        attempt.timers.append(timers.after(delay_s, lambda: self._say_queued(attempt)))

    def _say_queued(self, attempt: AttemptRecord) -> None:
        """Publish `queued`, if anything may serve the command before it is stale."""
        now = attempt.now()
        if attempt.is_stale():
            self._waiting.pop(attempt.command.key, None)
            self._ended_unstarted(attempt, "stale")
            return
        # Once: an attempt whose process could not be started waits again.
        is_served = self._current is not None or self._next is not None
        if is_served and not attempt.is_queued:
            attempt.is_queued = True
            detail = verdicts.state_update(attempt.command, now, "queued")
            self._services.link.state(frame_bytes("TaskStateChanged", detail))
        left_s = (attempt.command.start_by if attempt.is_queued else attempt.command.ack_by) - now
        timers = self._services.loop.timers
        attempt.timers.append(timers.after(left_s + 0.001, lambda: self._drop_stale(attempt)))

    def _drop_stale(self, attempt: AttemptRecord) -> None:
        if self._waiting.pop(attempt.command.key, None) is not None:
            self._ended_unstarted(attempt, "stale")

    def _end_waiting(self, outcome: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for attempt in waiting.values():
            self._ended_unstarted(attempt, outcome)

    def _ended_unstarted(self, attempt: AttemptRecord, outcome: str) -> None:
        attempt.cancel_timers()
        self._services.link.event(
            "ended", key=attempt.command.key, server=attempt.command.server, outcome=outcome
        )

    def _workers(self) -> list[Worker]:
        return [worker for generation in self._generations for worker in generation.workers]

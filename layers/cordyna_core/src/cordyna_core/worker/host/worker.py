"""Worker: one process that runs one attempt at a time, as the host sees it.

Theory of operation. A worker is in one of six phases:

    loading -> idle -> busy -> settling -> idle          (reused)
                        |         |
                        +---------+-----> ending -> gone  (retired, stopped, or dead)

- busy: the attempt runs. Its final frame, its run clock, a cancellation or the end of the process
  ends this phase.
- settling: the final state is handed on, but a pipe of the attempt is still open, or its process is
  still being checked. After `pipes_grace_s` the worker is ended by force.
- ending: the process has been asked to exit (soft), or its group gets SIGTERM and then SIGKILL
  (by force). The process is waited for only when its group is gone.

Invariant: the attempt is released (AttemptEnded, and the next attempt of the task may start) only
when nothing of it can run any more: the worker is idle and clean, or its group is gone.
"""

import signal
from collections.abc import Callable
from typing import Final

from cordyna_core.worker import processes, verdicts
from cordyna_core.worker.host import answers
from cordyna_core.worker.host.attempt_record import AttemptRecord
from cordyna_core.worker.host.children import Child
from cordyna_core.worker.host.loop import Timer
from cordyna_core.worker.host.services import Services
from cordyna_core.worker.host.transports import Transport
from cordyna_core.worker.host.worker_group import WorkerGroup
from cordyna_core.worker.host.worker_owner import WorkerOwner
from cordyna_core.worker.protocol import (
    COMMANDS,
    FINAL_STATES,
    WORKER_STATES,
    BadFrame,
    Frame,
    Oversized,
)

_NO_MORE_WORK: Final = frozenset({"ending", "gone"})


class Worker:
    """See the module."""

    def __init__(self, services: Services, owner: "WorkerOwner[Worker]") -> None:
        self._services, self._owner = services, owner
        self._group = WorkerGroup(services, lambda: owner.on_worker_stuck(self))
        self.transport: Transport | None = None
        self.phase = "loading"
        self.has_loaded = False
        self.attempt: AttemptRecord | None = None
        self._outcome = ""
        self._is_checked = False
        self._settle_timer: Timer | None = None

    @property
    def pid(self) -> int | None:
        """The process, once it is known."""
        return self._group.pid

    @property
    def exit_code(self) -> int | None:
        """How the process ended, once it has."""
        return self._group.exit_code

    @property
    def is_checking(self) -> bool:
        """Whether it is idle in a moment, unless its process turns out to have changed."""
        return self.phase == "settling" and not self._is_checked

    def loaded(self) -> None:
        """The worker can be given work."""
        self.has_loaded = True
        self.phase = "idle"

    def set_child(self, child: Child, started_at: float = 0.0) -> None:
        """The worker's process has been started, at `started_at` of the monotonic clock."""
        self._group.set_child(child, self.process_exited)
        attempt = self.attempt
        if attempt is not None:
            # A body that was waited for begins with its process.
            self._report_started(attempt, max(attempt.given_at, attempt.at(started_at)))

    # -- work ---------------------------------------------------------------------------------

    def run(self, attempt: AttemptRecord) -> None:
        """Give an attempt to an idle worker."""
        assert self.transport is not None
        self.phase, self.attempt = "busy", attempt
        attempt.given_at = attempt.now()
        try:
            self.transport.start_attempt(answers.run_frame(attempt), attempt.output)
        except OSError as error:
            self._give_back(f"the output of an attempt could not be opened: {error}")
            self.retire()
            return
        attempt.report_cuts(self._services)
        if self.pid is not None:
            self._report_started(attempt, attempt.given_at)

    def cancel(self, frame: bytes, grace_s: float) -> None:
        """Pass a cancellation on, and stop the attempt when its grace has passed."""
        attempt = self.attempt
        if attempt is None or attempt.cancel_requested or self.transport is None:
            return
        attempt.cancel_requested = True
        self.transport.send(frame)
        if not attempt.has_final:
            attempt.timers.append(self._after(grace_s, lambda: self.stop("cancelled")))

    def stop(self, reason: str) -> None:
        """End the attempt by signals. Its answer is then `reason`, unless it completes first."""
        attempt = self.attempt
        if attempt is None or attempt.has_final or attempt.stop_reason is not None:
            return
        assert self.transport is not None
        self.transport.read_frames()
        if attempt.has_final:
            return
        attempt.stop_reason = reason
        self.end_by_force()

    def on_item(self, item: Frame | BadFrame | Oversized) -> None:
        """Handle what the worker sent (transports.Listener)."""
        if not isinstance(item, Frame):
            why = str(item) if isinstance(item, BadFrame) else "longer than 1 MB"
            head = item.head if isinstance(item, Oversized) else b""
            self._dead_letter(why, head)
            self._owner.on_unreadable_frame(self, why)
            if self.attempt is not None and not self.attempt.has_final:
                final = answers.made_frame(self.attempt, verdicts.bad_final, why)
                self._finish(final, is_clean=False)
        elif item.detail_type == "TaskStateChanged":
            self._state_changed(item)
        elif item.detail_type == "AttemptSkipped" and self._is_current(item):
            self._skipped(item)
        elif item.detail_type == "WorkerChecked" and self.is_checking:
            self._checked(is_clean=not item.detail.get("unclean"))
        elif item.detail_type == "TaskLogged" and self.attempt is not None:
            self.attempt.output.add_line("log", str(item.detail.get("text", "")))
        elif item.detail_type in COMMANDS:
            answers.publish_command(self._services, self.attempt, item)
        else:
            self._owner.on_worker_frame(self, item)

    def on_connection_end(self) -> None:
        """The worker closed its connection: without it, it is of no use (transports.Listener)."""
        if self.phase not in _NO_MORE_WORK:
            # It is probably exiting: its exit code says more than a signal of ours.
            self._after(self._services.settings.pipes_grace_s, self._kill_disconnected)

    def _kill_disconnected(self) -> None:
        if self.phase not in _NO_MORE_WORK:
            self.end_by_force()
            self._group.signal(signal.SIGKILL)

    def on_output_end(self) -> None:
        """A pipe has ended (transports.Listener)."""
        if self.phase == "settling" and self._is_checked and not self._has_open_output():
            self._settled()

    # -- the end ------------------------------------------------------------------------------

    def retire(self) -> None:
        """Ask an idle worker to exit."""
        if self.phase in _NO_MORE_WORK:
            return
        self._leave()
        assert self.transport is not None
        # What a completed attempt left running has been left on purpose.
        self._group.leave_descendants()
        self.transport.ask_to_exit()
        self._group.force_later(self.end_by_force)

    def end_by_force(self) -> None:
        """SIGTERM to the group, SIGKILL after `kill_after_s`."""
        self._leave()
        self._group.end_by_force()

    def kill(self) -> None:
        """SIGKILL to the group now. The attempt, if any, gets no answer."""
        if self.attempt is not None and self.attempt.stop_reason is None:
            self.attempt.stop_reason = "drain"
        self.end_by_force()
        self._group.signal(signal.SIGKILL)

    def could_not_start(self, why: str) -> None:
        """No process could be started for this worker. Its attempt, if any, waits again."""
        self._give_back(why)
        self._leave()
        self._gone()

    def has_lost_starter(self, why: str) -> None:
        """What was starting this worker has ended: whether its attempt began is not known."""
        if self._has_open_attempt():
            self._answer_for_dead(why)
        self._leave()
        self._gone()

    def process_exited(self, code: int) -> None:
        """The process has ended, and is not yet waited for."""
        if self.transport is not None:
            self.transport.read_frames()
        died = self._has_open_attempt()
        if died:
            exit_text = processes.describe_exit(code)
            key = self.attempt.command.key if self.attempt else None
            self._services.link.event("died", exit=exit_text, key=key)
            self._answer_for_dead(exit_text)
        if died or self._group.is_forced:
            self._group.is_forced = True
            self._services.children.kill_orphans()
        stop_reason = self.attempt.stop_reason if self.attempt else None
        if died and stop_reason is None:
            self._group.signal(signal.SIGKILL)
        self._leave()
        self._group.await_end(self._gone)

    def _gone(self) -> None:
        if self.phase == "gone":
            return
        self.phase = "gone"
        if self.transport is not None:
            self.transport.drain_output()
            self.transport.close()
        self._group.close()
        self._outcome = self._outcome or "retired"
        self._release()
        self._owner.on_worker_gone(self)

    def _leave(self) -> None:
        if self.phase not in _NO_MORE_WORK:
            self.phase = "ending"
            if self._settle_timer is not None:
                self._settle_timer.cancel()
            self._owner.on_worker_leaving(self)

    # -- the attempt --------------------------------------------------------------------------

    def _state_changed(self, frame: Frame) -> None:
        attempt, state = self.attempt, frame.detail.get("state")
        is_known = isinstance(state, str) and state in WORKER_STATES
        if attempt is None or not is_known or not self._is_current(frame):
            self._dead_letter("not a state of the attempt that this worker runs", frame.line)
        elif state in FINAL_STATES:
            self._finish(answers.final_frame(attempt, frame), is_clean=answers.is_clean(frame))
        elif "progress" in frame.detail or "message" in frame.detail:
            answers.report_progress(self._services, attempt, frame)

    def _skipped(self, frame: Frame) -> None:
        """The body was not started."""
        attempt = self.attempt
        assert attempt is not None
        final = answers.frame_for_skipped(attempt)
        if final is None:
            self._outcome = "skipped"
        self._finish(final, is_clean=answers.is_clean(frame))

    def _report_started(self, attempt: AttemptRecord, at: float) -> None:
        """Begin the run clock once there is a process, and publish `started`, as of `at`."""
        if not attempt.is_started and not attempt.has_final:
            attempt.is_started = True
            timeout_s = attempt.command.run_timeout_s
            if timeout_s is not None:
                attempt.timers.append(self._after(timeout_s, lambda: self.stop("run_timeout")))
            answers.report_start(self._services, attempt, at)

    def _finish(self, final: bytes | None, *, is_clean: bool | None) -> None:
        """The attempt has its final state: drain its output, then hand the state on.

        `is_clean`: whether the process can be reused; None if the worker is still to say it.
        """
        attempt, transport = self.attempt, self.transport
        assert attempt is not None
        assert transport is not None
        if final is not None:
            self._report_started(attempt, attempt.given_at)
        attempt.has_final = True
        attempt.cancel_timers()
        transport.drain_output()
        is_open = transport.has_open_output()
        if not is_open:
            attempt.output.close()
        is_end = final is not None and not is_open and is_clean is True and self.phase != "ending"
        attempt.is_end_reported = is_end
        answers.report_final(self._services, attempt, final, "reused" if is_end else None)
        if self.phase == "ending":
            # It was stopped, and has answered: a Python body exits at the end of its connection.
            transport.ask_to_exit()
            return
        self.phase, self._is_checked = "settling", False
        if is_open or is_clean is None:
            grace_s = self._services.settings.pipes_grace_s
            self._settle_timer = self._after(grace_s, self._never_settled)
        if is_clean is not None:
            self._checked(is_clean=is_clean)

    def _checked(self, *, is_clean: bool) -> None:
        """It is known whether the process can be reused."""
        self._is_checked = True
        if not is_clean:
            self._outcome = self._outcome or "retired"
        if not self._has_open_output():
            self._settled()

    def _settled(self) -> None:
        if self._settle_timer is not None:
            self._settle_timer.cancel()
        assert self.attempt is not None
        self.attempt.output.close()
        if self._outcome == "retired":
            self.retire()
            return
        self.phase = "idle"
        self._release()
        self._owner.on_worker_idle(self)

    def _never_settled(self) -> None:
        assert self.attempt is not None
        if self._has_open_output():
            answers.explain_open_output(self.attempt, self._services.settings.pipes_grace_s)
        self._outcome = "retired"
        self.end_by_force()

    def _answer_for_dead(self, exit_text: str) -> None:
        attempt, transport = self.attempt, self.transport
        assert attempt is not None
        assert transport is not None
        transport.drain_output()
        self._outcome = "died"
        final = answers.frame_for_dead(attempt, exit_text)
        attempt.has_final = True
        attempt.cancel_timers()
        if not transport.has_open_output():
            attempt.output.close()
        answers.report_final(self._services, attempt, final)

    def _give_back(self, why: str) -> None:
        attempt, self.attempt = self.attempt, None
        if attempt is not None:
            attempt.cancel_timers()
            if self.transport is not None:
                self.transport.close_output()
            self._owner.on_attempt_unstarted(attempt, why)

    def _release(self) -> None:
        attempt, self.attempt = self.attempt, None
        if attempt is None:
            return
        outcome = attempt.stop_reason or self._outcome or "reused"
        self._outcome = ""
        attempt.cancel_timers()
        attempt.output.close()
        if self.transport is not None:
            self.transport.close_output()
        self._owner.on_attempt_released(attempt, outcome)

    # -- small things -------------------------------------------------------------------------

    def _is_current(self, frame: Frame) -> bool:
        attempt = self.attempt
        return attempt is not None and not attempt.has_final and answers.is_for(attempt, frame)

    def _has_open_output(self) -> bool:
        return self.transport is not None and self.transport.has_open_output()

    def _has_open_attempt(self) -> bool:
        return self.attempt is not None and not self.attempt.has_final

    def _dead_letter(self, why: str, content: bytes) -> None:
        answers.report_dead_letter(self._services, self.attempt, why, content)

    def _after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self._services.loop.timers.after(delay_s, callback)

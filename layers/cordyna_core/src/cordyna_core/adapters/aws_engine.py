"""AWS engine: what `dyna` talks to when cerebro is in the cloud (or in an emulator of it).

Law: it commands by events and learns by asking, as anybody could: it puts events on the bus as `cordyna.client`, and asks the
query function what became of them. A refusal is read from the log of the bus; where that log says nothing (an emulator does not
write it), cerebro is asked what it would refuse.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import Any, Final, Self

from cordyna_core.adapters.asking import Asking
from cordyna_core.adapters.cloud import Cloud, told
from cordyna_core.adapters.cloud_logs import passed, printed
from cordyna_core.adapters.cloud_operations import CloudOperations
from cordyna_core.adapters.discovery import Place, find_place
from cordyna_core.adapters.eventbridge import EventBridgeBus, entry, requests
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declared import ServerDeclared
from cordyna_core.contract.envelope import MalformedEvent, meta_at, open_envelope
from cordyna_core.contract.message import JsonObject, Message, Problem
from cordyna_core.contract.names import CLIENT, run_id_of
from cordyna_core.contract.state_updates import InvocationRejected, RunStateChanged
from cordyna_core.contract.views import LogLine, PassedEvent, PlanView, RunSummary, RunView, ServerInfo, TaskInfo
from cordyna_core.contract.what_if import RehearsalView, ReplayView
from cordyna_core.errors import NotFound, ServiceError, UserError
from cordyna_core.ports import Clock, EngineOptions, Invoked, Refused

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 2.0
SHARE: Final = 4
"""Of the time, asking takes at most one part in so many: a run of 100,000 tasks is asked about less often."""

LOG_AFTER_S: Final = 1.0
"""Cerebro mostly answers sooner than a log is written."""

ASK_WHY_AFTER_S: Final = 5.0
DAY_S: Final = 24 * 3600.0


def open_engine(options: EngineOptions) -> "AwsEngine":
    """The engine of the cerebro that was named, or of the only one there. Raises UserError."""
    cloud = Cloud(options)
    return AwsEngine(cloud, find_place(cloud, options.bus))


class AwsEngine:
    """Implements the Engine port of the library."""

    def __init__(self, cloud: Cloud, place: Place, *, clock: Clock = time.time, sleep: Callable[[float], None] = time.sleep) -> None:
        self._cloud, self._place, self._clock, self._sleep = cloud, place, clock, sleep
        self._asking = Asking(cloud, place.query)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    @cached_property
    def operations(self) -> CloudOperations:
        """What an operator asks."""
        return CloudOperations(self._cloud, self._place, self._asking, self._clock)

    def invoke(self, command: InvokeTask, *, join: bool = False, wait_s: float = 30) -> Invoked | Refused:
        event_id = self._put(command)
        run_id = run_id_of(command.task, command.key or event_id)

        def taken() -> bool:
            return self._params_of(run_id) == command.params

        def why_not() -> Sequence[Problem]:
            if self._params_of(run_id) is None:
                return self._asking.plan(command.task, command.params).problems
            return [Problem(code="key_reused", message=f"key {command.key!r} was used before, with other parameters: use another key")]

        return self._answer(event_id, command.task, taken, why_not, wait_s) or Invoked(run_id)

    def command(self, command: CancelRun | RetryRun, *, wait_s: float = 30) -> Refused | None:
        self.run(command.run_id)
        event_id = self._put(command)
        command_id = command.command_id or event_id

        def taken() -> bool:
            view, applied = self._asking.run(command.run_id)
            # A run that was cancelled before is not cancelled again.
            return command_id in applied or (isinstance(command, CancelRun) and view.cancelled)

        return self._answer(event_id, command.run_id, taken, lambda: _why_not(command, self.run(command.run_id)), wait_s)

    def send(self, lines: Sequence[str]) -> None:
        entries = [self._raw_entry(line) for line in lines]
        for request in requests(entries):
            answers = self._cloud.call("events", "put_events", Entries=request)["Entries"]
            refused = [answer for answer in answers if "ErrorCode" in answer]
            if refused:
                why = "\n".join(sorted({f"{answer['ErrorCode']}: {answer.get('ErrorMessage', '')}" for answer in refused}))
                raise ServiceError(
                    f"the bus {self._place.bus} did not take {len(refused)} of the events.", why=why, next="mend what is listed"
                )

    def plan(self, task: str) -> PlanView:
        return self._asking.plan(task)

    def rehearse(self, declared: Sequence[ServerDeclared]) -> RehearsalView:
        return self._asking.rehearsal(declared)

    def replay(self, run_id: str) -> ReplayView:
        raise UserError(
            f"run {run_id} cannot be replayed from here.",
            why="deciding a run once more takes cerebro's own code and every event of the run; a home on this machine has both",
            next=f"dyna timeline {run_id}   (what cerebro itself knows)",
        )

    def run(self, run_id: str) -> RunView:
        return self._asking.run(run_id)[0]

    def follow(self, run_id: str, *, timeout_s: float | None = None) -> Iterator[RunView]:
        until = None if timeout_s is None else self._clock() + timeout_s
        seen: RunView | None = None
        pause = FIRST_PAUSE_S
        while True:
            asked_at = self._clock()
            view = self.run(run_id)
            took = self._clock() - asked_at
            if view != seen:
                yield view
                pause = FIRST_PAUSE_S
            if view.is_final or (until is not None and self._clock() >= until):
                return
            seen = view
            self._pause(max(pause, took * (SHARE - 1)), until)
            pause = min(pause * 1.3, LONGEST_PAUSE_S)

    def runs(self, limit: int = 20) -> list[RunSummary]:
        return self._asking.runs(limit)

    def tasks(self) -> list[TaskInfo]:
        return self._asking.tasks()

    def servers(self) -> list[ServerInfo]:
        return self._asking.servers()

    def events(self, run_id: str | None = None, *, after: int = 0) -> list[PassedEvent]:
        """Of a run: since it was asked for; else of the last day. Raises ServiceError where the bus has no log, or an empty one."""
        if run_id is None:
            texts = passed(self._cloud, self._place.events_log, None, self._ms(-DAY_S))
        else:
            since = self._created_ms(run_id)
            texts = passed(self._cloud, self._place.events_log, run_id, since)
            # What asked for the run does not name it yet.
            texts = [*self._commands_before(texts, since), *texts]
        if not texts and run_id is not None:
            raise ServiceError(
                "the log of the bus holds nothing of this run.",
                why="it is written some seconds late; an emulator may not write it at all, and retention may have taken it",
                next=f"dyna timeline {run_id}   (what cerebro itself knows)",
            )
        return [PassedEvent(seq=seq, text=text) for seq, text in enumerate(texts, 1) if seq > after]

    def logs(self, run_id: str, task: str | None = None) -> list[LogLine]:
        view = self.run(run_id)
        servers = sorted({each.server for each in view.tasks if task in (None, each.task)})
        since = self._created_ms(run_id)
        lines = [line for server in servers for line in printed(self._cloud, server, run_id, since) if task in (None, line.task)]
        return sorted(lines, key=lambda line: line.at)

    def dev(self, *, since: datetime | None = None) -> Iterator[PassedEvent]:
        """Every event as the log of the bus shows it, some seconds after it passed. What drives the runs is in the cloud."""
        from_ms = self._ms(0) if since is None else int(since.timestamp() * 1000)
        seen: set[str] = set()
        seq = 0
        while True:
            for text in passed(self._cloud, self._place.events_log, None, from_ms):
                if text not in seen:
                    seen.add(text)
                    seq += 1
                    yield PassedEvent(seq=seq, text=text)
            self._sleep(LONGEST_PAUSE_S)

    # --- commands and what becomes of them -----------------------------------------------------------------------------
    def _put(self, message: Message) -> str:
        # A cause begins here, so its id is drawn.
        event_id = message.meta.id if message.meta and message.meta.id else str(uuid.uuid4())
        said = message if message.meta else message.model_copy(update={"meta": meta_at(self._clock(), event_id)})
        bus = EventBridgeBus(self._cloud.client("events"), bus=self._place.bus, source=CLIENT, pause=self._sleep)
        with told():
            bus.publish((said,))
        return event_id

    def _answer(
        self, event_id: str, subject: str, taken: Callable[[], bool], why_not: Callable[[], Sequence[Problem]], wait_s: float
    ) -> Refused | None:
        """Wait until a command is taken (None) or refused. Raises ServiceError when neither is known in time."""
        put_at = self._clock()
        since, pause = self._ms(-60), FIRST_PAUSE_S
        while True:
            if taken():
                return None
            waited = self._clock() - put_at
            if waited >= LOG_AFTER_S and (refused := self._refusal(event_id, since)) is not None:
                return refused
            if waited >= ASK_WHY_AFTER_S and (problems := why_not()):
                return Refused(subject, tuple(problems))
            if waited >= wait_s:
                raise ServiceError(
                    f"cerebro has not answered within {wait_s:g} s.",
                    why="the command is on the bus, and may still be taken",
                    next="`dyna doctor` looks at everything; `dyna runs` shows whether it was taken",
                )
            self._pause(pause, put_at + wait_s)
            pause = min(pause * 1.3, LONGEST_PAUSE_S)

    def _commands_before(self, texts: Sequence[str], since_ms: int) -> list[str]:
        for text in texts:
            message = _opened(text)
            if isinstance(message, RunStateChanged) and message.meta is not None and message.meta.cause is not None:
                asked = passed(self._cloud, self._place.events_log, message.meta.cause, since_ms)
                return [each for each in asked if isinstance(_opened(each), InvokeTask)]
        return []

    def _params_of(self, run_id: str) -> JsonObject | None:
        try:
            return self.run(run_id).params
        except NotFound:
            return None

    def _refusal(self, event_id: str, since_ms: int) -> Refused | None:
        for text in passed(self._cloud, self._place.events_log, event_id, since_ms):
            message = _opened(text)
            if isinstance(message, InvocationRejected) and message.event_id == event_id:
                return Refused(message.task, tuple(message.problems))
        return None

    def _raw_entry(self, line: str) -> dict[str, str]:
        """An envelope's line as PutEvents takes it; what is none is passed on as a detail of its own, so that cerebro refuses it."""
        try:
            envelope: Any = json.loads(line)
        except ValueError:
            envelope = None
        if not isinstance(envelope, dict):
            envelope = {"source": CLIENT, "detail-type": "", "detail": {"text": line}}
        detail = envelope.get("detail", {})
        return entry(
            bus=self._place.bus,
            source=str(envelope.get("source", "")),
            detail_type=str(envelope.get("detail-type", "")),
            detail=detail if isinstance(detail, str) else json.dumps(detail),
        )

    def _pause(self, seconds: float, until: float | None) -> None:
        self._sleep(seconds if until is None else max(0.0, min(seconds, until - self._clock())))

    def _created_ms(self, run_id: str) -> int:
        created = self.run(run_id).created_at
        # What asked for it passed some moments before.
        return self._ms(-DAY_S) if created is None else int(created.timestamp() * 1000) - 60_000

    def _ms(self, later_s: float) -> int:
        return int((self._clock() + later_s) * 1000)


def _opened(text: str) -> Message | None:
    """What an event says; None for what is not of the contract, which passes the bus as well."""
    try:
        return open_envelope(text).message
    except MalformedEvent:
        return None


def _why_not(command: CancelRun | RetryRun, view: RunView) -> Sequence[Problem]:
    """Why cerebro refuses a command to a run that is as it is seen here."""
    if isinstance(command, CancelRun):
        completed = Problem(code="run_completed", message=f"run {view.run_id} has completed: there is nothing left to cancel")
        return [completed] if view.state == "completed" else []
    if view.cancelled:
        return [Problem(code="run_cancelled", message=f"run {view.run_id} was cancelled, and that is final: invoke {view.task!r} again")]
    if not any(task.state == "error" for task in view.tasks):
        return [Problem(code="nothing_failed", message=f"in run {view.run_id} no task has failed for good: nothing to retry")]
    return []

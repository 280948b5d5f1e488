"""Cloud commands: a command to cerebro on AWS, and what becomes of it.

Law: it is an event that is put on the bus as `cordyna.client`, as anybody could, and is taken when cerebro's query function shows so.
A refusal is read from the log of the bus; where that says nothing (an emulator may not write it), cerebro is asked what it would refuse,
and what was taken meanwhile is not refused.
"""

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

from cordyna_cli.aws.aws_session import AwsSession, translate_aws_errors
from cordyna_cli.aws.discovery import CerebroLocation
from cordyna_cli.aws.logs import passed
from cordyna_cli.aws.queries import QueryClient
from cordyna_cli.engine import Invoked, Refused
from cordyna_core.aws.eventbridge import EventBridgeBus, entry, requests
from cordyna_core.contract.base import JsonObject, Message, Problem, meta_at
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.ids import CLIENT, run_id_of
from cordyna_core.contract.state_updates import InvocationRejected
from cordyna_core.contract.views.runs import RunView
from cordyna_core.errors import NotFound, ServiceError
from cordyna_core.ports import Clock

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 2.0

LOG_AFTER_S: Final = 1.0
"""Cerebro mostly answers sooner than a log is written."""

ASK_WHY_AFTER_S: Final = 5.0
_LOG_BEFORE_MS: Final = 60_000


class AwsCommands:
    """Commands to the cerebro in one place."""

    def __init__(
        self,
        cloud: AwsSession,
        place: CerebroLocation,
        asking: QueryClient,
        clock: Clock,
        sleep: Callable[[float], None],
    ) -> None:
        self._cloud, self._place, self._asking, self._clock, self._sleep = (
            cloud,
            place,
            asking,
            clock,
            sleep,
        )

    def invoke(self, command: InvokeTask, wait_s: float) -> Invoked | Refused:
        """As the Engine port says."""
        event_id = self._put(command)
        run_id = run_id_of(command.task, command.key or event_id)

        def taken() -> bool:
            return self._params_of(run_id) == command.params

        def why_not() -> Sequence[Problem]:
            if self._params_of(run_id) is None:
                return self._asking.plan(command.task, command.params).problems
            return [
                Problem(
                    code="key_reused",
                    message=f"key {command.key!r} was used before, with other parameters: use another key",
                )
            ]

        return self._answer(event_id, command.task, taken, why_not, wait_s) or Invoked(run_id)

    def command(self, command: CancelRun | RetryRun, wait_s: float) -> Refused | None:
        """As the Engine port says."""
        self._asking.run(command.run_id)
        event_id = self._put(command)
        command_id = command.command_id or event_id

        def taken() -> bool:
            view, applied = self._asking.run(command.run_id)
            # A run that was cancelled before is not cancelled again.
            return command_id in applied or (isinstance(command, CancelRun) and view.cancelled)

        def why_not() -> Sequence[Problem]:
            return _why_not(command, self._asking.run(command.run_id)[0])

        return self._answer(event_id, command.run_id, taken, why_not, wait_s)

    def send(self, lines: Sequence[str]) -> None:
        """As the Engine port says."""
        entries = [self._raw_entry(line) for line in lines]
        for request in requests(entries):
            answers = self._cloud.call("events", "put_events", Entries=request)["Entries"]
            refused = [answer for answer in answers if "ErrorCode" in answer]
            if refused:
                why = "\n".join(
                    sorted(
                        {
                            f"{answer['ErrorCode']}: {answer.get('ErrorMessage', '')}"
                            for answer in refused
                        }
                    )
                )
                raise ServiceError(
                    f"the bus {self._place.bus} did not take {len(refused)} of the events.",
                    why=why,
                    next="mend what is listed",
                )

    def _put(self, message: Message) -> str:
        # A cause begins here, so its id is drawn.
        event_id = message.meta.id if message.meta and message.meta.id else str(uuid.uuid4())
        said = (
            message
            if message.meta
            else message.model_copy(update={"meta": meta_at(self._clock(), event_id)})
        )
        bus = EventBridgeBus(
            self._cloud.client("events"), bus=self._place.bus, source=CLIENT, pause=self._sleep
        )
        with translate_aws_errors():
            bus.publish((said,))
        return event_id

    def _answer(
        self,
        event_id: str,
        subject: str,
        taken: Callable[[], bool],
        why_not: Callable[[], Sequence[Problem]],
        wait_s: float,
    ) -> Refused | None:
        """Wait until a command is taken (None) or refused. Raises ServiceError when neither is known in time."""
        put_at = self._clock()
        since_ms, pause = int(put_at * 1000) - _LOG_BEFORE_MS, FIRST_PAUSE_S
        while True:
            if taken():
                return None
            waited = self._clock() - put_at
            if waited >= LOG_AFTER_S and (refused := self._refusal(event_id, since_ms)) is not None:
                return refused
            if waited >= ASK_WHY_AFTER_S and (problems := why_not()):
                # What speaks against it now may be its own effect: a run that was not there a moment ago.
                return None if taken() else Refused(subject, tuple(problems))
            if waited >= wait_s:
                raise ServiceError(
                    f"cerebro has not answered within {wait_s:g} s.",
                    why="the command is on the bus, and may still be taken",
                    next="`dyna doctor` looks at everything; `dyna runs` shows whether it was taken",
                )
            self._sleep(max(0.0, min(pause, put_at + wait_s - self._clock())))
            pause = min(pause * 1.3, LONGEST_PAUSE_S)

    def _params_of(self, run_id: str) -> JsonObject | None:
        try:
            return self._asking.run(run_id)[0].params
        except NotFound:
            return None

    def _refusal(self, event_id: str, since_ms: int) -> Refused | None:
        for text in passed(self._cloud, self._place.events_log, event_id, since_ms):
            message = opened(text)
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


def opened(text: str) -> Message | None:
    """What an event says; None for what is not of the contract, which passes the bus as well."""
    try:
        return open_envelope(text).message
    except MalformedEvent:
        return None


def _why_not(command: CancelRun | RetryRun, view: RunView) -> Sequence[Problem]:
    """Why cerebro refuses a command to a run that is as it is seen here."""
    if isinstance(command, CancelRun):
        completed = Problem(
            code="run_completed",
            message=f"run {view.run_id} has completed: there is nothing left to cancel",
        )
        return [completed] if view.state == "completed" else []
    if view.cancelled:
        return [
            Problem(
                code="run_cancelled",
                message=f"run {view.run_id} was cancelled, and that is final: invoke {view.task!r} again",
            )
        ]
    if not any(task.state == "error" for task in view.tasks):
        return [
            Problem(
                code="nothing_failed",
                message=f"in run {view.run_id} no task has failed for good: nothing to retry",
            )
        ]
    return []

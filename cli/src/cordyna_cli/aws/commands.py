"""AWS commands: puts a command on the bus and waits until cerebro accepts or refuses it.

Invariant: a command is an event of `cordyna.client`, as any client could send it. It is accepted
when the query function shows its effect. A refusal is read from the log of the bus. Where the log
has nothing (an emulator may not write it), the query function is asked what it would refuse, and
a command that has taken effect meanwhile is not refused.
"""

import json
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

from cordyna_cli.aws.aws_session import AwsSession, translate_aws_errors
from cordyna_cli.aws.discovery import CerebroLocation
from cordyna_cli.aws.logs import logged_events
from cordyna_cli.aws.plain_secrets import plain_secrets_in
from cordyna_cli.aws.queries import QueryClient
from cordyna_cli.engine import Invoked, Refused
from cordyna_core.aws.eventbridge import EventBridgeBus, entry, requests
from cordyna_core.contract.base import Message, Problem, meta_at
from cordyna_core.contract.commands import CancelRun, InvokeTask, RemoveServer, RetryRun
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.ids import CLIENT, NAME_PATTERN, run_id_of
from cordyna_core.contract.incidents import SnoozeIncident
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.refusals import (
    incident_closed,
    key_reused,
    nothing_failed,
    rerun_under_way,
    run_cancelled,
    run_completed,
    snooze_problem,
    unknown_incident,
)
from cordyna_core.contract.state_updates import InvocationRejected
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.graph import ServerInfo
from cordyna_core.contract.views.incidents import IncidentView
from cordyna_core.contract.views.runs import RunView
from cordyna_core.errors import NotFound, ServiceError, UserError, fix_problems
from cordyna_core.ports import Clock

POLL_INTERVAL_MIN_S: Final = 0.25
POLL_INTERVAL_MAX_S: Final = 2.0

READ_LOG_AFTER_S: Final = 1.0
"""Cerebro usually answers before a log is written."""

ASK_WHY_AFTER_S: Final = 5.0
_LOG_MARGIN_MS: Final = 60_000


def client_source(name: str | None) -> str:
    """Return the source of the client `name`; without a name that of any client.

    Raises UserError.
    """
    if name is None:
        return CLIENT
    if not re.fullmatch(NAME_PATTERN, name):
        raise UserError(
            f"client = {name!r} is not a name of letters, digits, dots, dashes and underscores",
            next="correct `client` in the profile, or CORDYNA_CLIENT",
        )
    return f"{CLIENT}.{name}"


class AwsCommands:
    """Commands to one cerebro."""

    def __init__(
        self,
        session: AwsSession,
        location: CerebroLocation,
        queries: QueryClient,
        clock: Clock,
        sleep: Callable[[float], None],
        *,
        source: str = CLIENT,
    ) -> None:
        self._source = source
        self._session, self._location, self._queries = session, location, queries
        self._clock, self._sleep = clock, sleep

    def invoke(self, command: InvokeTask, wait_s: float) -> Invoked | Refused:
        """See `Engine`."""
        problems = plain_secrets_in(command, self._queries)
        if problems:
            return Refused(command.task, problems)
        event_id = self._put(command)
        run_id = run_id_of(command.task, command.key or event_id)

        def is_applied() -> bool:
            return self._params_of(run_id) == command.params

        def problems_now() -> Sequence[Problem]:
            if self._params_of(run_id) is None:
                return self._queries.plan(command.task, command.params).problems
            return [key_reused(command.key or event_id, "other parameters")]

        return self._answer(event_id, command.task, is_applied, problems_now, wait_s) or Invoked(
            run_id
        )

    def command(self, command: CancelRun | RetryRun, wait_s: float) -> Refused | None:
        """See `Engine`."""
        self._queries.run(command.run_id)
        event_id = self._put(command)
        command_id = command.command_id or event_id

        def is_applied() -> bool:
            view, applied = self._queries.run(command.run_id)
            # A run that was cancelled before is not cancelled again.
            return command_id in applied or (isinstance(command, CancelRun) and view.cancelled)

        def problems_now() -> Sequence[Problem]:
            return _problems_now(command, self._queries.run(command.run_id)[0])

        return self._answer(event_id, command.run_id, is_applied, problems_now, wait_s)

    def remove_server(self, command: RemoveServer, wait_s: float) -> Refused | None:
        """See `Engine`."""
        event_id = self._put(command)

        def declared() -> list[ServerInfo]:
            servers = self._queries.servers()
            return [info for info in servers if info.server == command.server and info.tasks]

        def is_applied() -> bool:
            return not declared()

        def problems_now() -> Sequence[Problem]:
            return [
                Problem(
                    code="newer_revision",
                    message=f"{info.server} has declared revision {info.revision} meanwhile",
                )
                for info in declared()
                if info.revision > command.revision
            ]

        return self._answer(event_id, command.server, is_applied, problems_now, wait_s)

    def snooze(self, command: SnoozeIncident, wait_s: float) -> Refused | None:
        """See `Engine`."""
        event_id = self._put(command)
        command_id = command.command_id or event_id

        def stored() -> IncidentView | None:
            incidents = self._queries.incidents(closed=True)
            return next((view for view in incidents if view.incident == command.incident), None)

        def is_applied() -> bool:
            view = stored()
            return view is not None and command_id in view.commands

        def problems_now() -> Sequence[Problem]:
            view = stored()
            if view is None:
                return [unknown_incident(command.incident)]
            if view.state == "closed":
                return [incident_closed(command.incident)]
            problem = snooze_problem(command.until, utc(self._clock()))
            return [] if problem is None else [problem]

        return self._answer(event_id, command.incident, is_applied, problems_now, wait_s)

    def send(self, lines: Sequence[str]) -> None:
        """See `Engine`."""
        entries = [self._raw_entry(line) for line in lines]
        for request in requests(entries):
            answers = self._session.call("events", "put_events", Entries=request)["Entries"]
            refused = [answer for answer in answers if "ErrorCode" in answer]
            if refused:
                reasons = {
                    f"{answer['ErrorCode']}: {answer.get('ErrorMessage', '')}" for answer in refused
                }
                raise ServiceError(
                    f"the bus {self._location.bus} rejected {len(refused)} of the events.",
                    why="\n".join(sorted(reasons)),
                    next=fix_problems(len(reasons)),
                )

    def _put(self, message: Message) -> str:
        # A cause begins here, so its id is random.
        event_id = message.meta.id if message.meta and message.meta.id else str(uuid.uuid4())
        if message.meta is None:
            message = message.model_copy(update={"meta": meta_at(self._clock(), event_id)})
        bus = EventBridgeBus(
            self._session.client("events"),
            bus=self._location.bus,
            source=self._source,
            pause=self._sleep,
        )
        with translate_aws_errors():
            bus.publish((message,))
        return event_id

    def _answer(
        self,
        event_id: str,
        subject: str,
        is_applied: Callable[[], bool],
        problems_now: Callable[[], Sequence[Problem]],
        wait_s: float,
    ) -> Refused | None:
        """Wait until a command is applied (None) or refused. Raises ServiceError after `wait_s`."""
        put_at = self._clock()
        since_ms, pause = int(put_at * 1000) - _LOG_MARGIN_MS, POLL_INTERVAL_MIN_S
        while True:
            if is_applied():
                return None
            waited = self._clock() - put_at
            if (
                waited >= READ_LOG_AFTER_S
                and (refused := self._refusal(event_id, since_ms)) is not None
            ):
                return refused
            if waited >= ASK_WHY_AFTER_S and (problems := problems_now()):
                # What would refuse it now may be its own effect, such as a run that it has just
                # made.
                return None if is_applied() else Refused(subject, tuple(problems))
            if waited >= wait_s:
                raise ServiceError(
                    f"cerebro has not answered within {wait_s:g} s.",
                    why="the command is on the bus, and may still be applied",
                    next="`dyna doctor` checks everything; "
                    "`dyna runs` shows whether it was applied",
                )
            self._sleep(max(0.0, min(pause, put_at + wait_s - self._clock())))
            pause = min(pause * 1.3, POLL_INTERVAL_MAX_S)

    def _params_of(self, run_id: str) -> JsonObject | None:
        try:
            return self._queries.run(run_id)[0].params
        except NotFound:
            return None

    def _refusal(self, event_id: str, since_ms: int) -> Refused | None:
        for text in logged_events(self._session, self._location.events_log, event_id, since_ms):
            message = parse_event(text)
            if isinstance(message, InvocationRejected) and message.event_id == event_id:
                return Refused(message.task, tuple(message.problems))
        return None

    def _raw_entry(self, line: str) -> dict[str, str]:
        """Return a line as an entry of PutEvents.

        A line that is not an envelope becomes the detail of one, so that cerebro refuses it.
        """
        try:
            envelope: Any = json.loads(line)
        except (ValueError, RecursionError):
            envelope = None
        if not isinstance(envelope, dict):
            envelope = {"source": CLIENT, "detail-type": "", "detail": {"text": line}}
        detail = envelope.get("detail", {})
        return entry(
            bus=self._location.bus,
            source=str(envelope.get("source", "")),
            detail_type=str(envelope.get("detail-type", "")),
            detail=detail if isinstance(detail, str) else json.dumps(detail),
        )


def parse_event(text: str) -> Message | None:
    """Return the message of an event; None where it is not one of the contract."""
    try:
        return open_envelope(text).message
    except MalformedEvent:
        return None


def _problems_now(command: CancelRun | RetryRun, view: RunView) -> Sequence[Problem]:
    """Return why cerebro refuses this command to a run that is as `view` shows it."""
    if isinstance(command, CancelRun):
        return [run_completed()] if view.state == "completed" else []
    if view.cancelled:
        return [run_cancelled(view.task)]
    if not any(task.state == "error" for task in view.tasks):
        # A task that waits and has an attempt is one of a rerun.
        waiting = (task for task in view.tasks if task.reason in ("waiting", "blocked"))
        reruns = [task.task for task in waiting if task.attempt]
        return [rerun_under_way(reruns) if reruns else nothing_failed()]
    return []

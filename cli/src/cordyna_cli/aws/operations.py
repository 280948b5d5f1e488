"""Cloud operations: what an operator of cerebro on AWS asks and does.

Law: it looks, and it moves messages and schedules; it never writes cerebro's state.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from cordyna_cli.aws.aws_session import AwsSession, ResourceNotFound
from cordyna_cli.aws.discovery import CerebroLocation
from cordyna_cli.aws.queries import QueryClient
from cordyna_cli.operations import DeadLetterQueue, Finding
from cordyna_core._version import __version__
from cordyna_core.errors import AccessError, NotFound, UserError
from cordyna_core.ports import Clock

DEAD: Final = "-dead-letters"
ON_QUEUES: Final = ("registry", "planner", "tracker", "timekeeper")
"""The handlers of cerebro that have a queue, into which dead letters can be put back."""

CALLED: Final = ("sweeper", "query", "log")

QUERY: Final = "query function"

SKEW_S: Final = 2.0
"""Two clocks that differ by more spoil the times that are shown, and in the end cerebro's own clocks."""

SAMPLES: Final = 3
LOOK_S: Final = 5
"""For so long a message is looked at; then it is back in its queue."""

_COUNTED: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

MOVED_WITHIN_S: Final = 60


class AwsOperations:
    """Implements the Operations port of the command line."""

    def __init__(
        self, cloud: AwsSession, place: CerebroLocation, asking: QueryClient, clock: Clock
    ) -> None:
        self._cloud, self._place, self._asking, self._clock = cloud, place, asking, clock

    # --- doctor --------------------------------------------------------------------------------------------------------
    def examine(self) -> Sequence[Finding]:
        return list(self._examined())

    def _examined(self) -> Iterator[Finding]:
        who = self._cloud.call("sts", "get_caller_identity")
        yield Finding("credentials", "well", f"{who['Arn']}, {self._cloud.where}")
        yield Finding("cerebro", "well", f"stage {self._place.stage}, found by its SSM parameters")
        yield self._tried("bus", self._bus)
        yield self._tried(QUERY, self._query)
        yield self._tried("versions", self._versions)
        yield self._tried("clocks", self._clocks)
        yield self._tried("servers", self._servers)
        yield self._tried("log of events", self._log)
        yield self._tried("dead letters", self._dead)

    def _tried(self, what: str, look: Any) -> Finding:
        try:
            found: Finding = look(what)
        except UserError as error:
            # Who may only invoke may not look at everything; without the query function nothing works.
            spared = isinstance(error, AccessError) and what != QUERY
            return Finding(
                what,
                "worth a look" if spared else "broken",
                " ".join(filter(None, (error.what, error.why))),
                error.next,
            )
        return found

    def _bus(self, what: str) -> Finding:
        self._cloud.call("events", "describe_event_bus", Name=self._place.bus)
        return Finding(what, "well", self._place.bus)

    def _query(self, what: str) -> Finding:
        begun = self._clock()
        info = self._asking.cerebro()
        return Finding(
            what,
            "well",
            f"{self._place.query} answered in {(self._clock() - begun) * 1000:.0f} ms; generation {info.generation}",
        )

    def _versions(self, what: str) -> Finding:
        there = self._asking.cerebro().version
        if there == __version__:
            return Finding(what, "well", f"dyna and cerebro are {there}")
        return Finding(
            what,
            "worth a look",
            f"dyna is {__version__}, cerebro is {there}",
            f"pip install 'cordyna-core[cli,aws]=={there}'",
        )

    def _clocks(self, what: str) -> Finding:
        begun = self._clock()
        there = self._asking.cerebro().now
        took = self._clock() - begun
        # The answer was made at some moment in between.
        skew = max(0.0, abs(there - (begun + took / 2)) - took / 2)
        if skew <= SKEW_S:
            return Finding(what, "well", f"they differ by less than {skew + took / 2:.1f} s")
        return Finding(
            what,
            "worth a look",
            f"this machine's clock and cerebro's differ by {skew:.1f} s",
            "let this machine follow a time server",
        )

    def _servers(self, what: str) -> Finding:
        servers = self._asking.servers()
        ill = [
            f"{info.server} is {info.state}"
            for info in servers
            if info.state not in ("ready", "unknown")
        ]
        if ill:
            return Finding(what, "worth a look", "; ".join(ill), "dyna servers")
        if not servers:
            return Finding(
                what,
                "worth a look",
                "no task server has declared anything",
                "deploy one; it declares itself",
            )
        return Finding(
            what, "well", f"{len(servers)}, with {sum(info.tasks for info in servers)} tasks"
        )

    def _log(self, what: str) -> Finding:
        group = self._place.events_log
        if group is None:
            return Finding(
                what,
                "worth a look",
                "its place is not told: `dyna events` and refusals need it",
                "deploy cerebro again",
            )
        self._cloud.call("logs", "filter_log_events", logGroupName=group, limit=1)
        return Finding(what, "well", group)

    def _dead(self, what: str) -> Finding:
        queues = self.dead_letters()
        if not queues:
            return Finding(what, "well", "none")
        told = ", ".join(f"{queue.messages} in {queue.name}" for queue in queues)
        return Finding(what, "worth a look", told, "dyna dlq ls")

    # --- dead letters --------------------------------------------------------------------------------------------------
    def dead_letters(self) -> Sequence[DeadLetterQueue]:
        found = []
        for name, back_to in self._queues():
            url = self._url(name)
            count = 0 if url is None else self._count(url)
            if url is not None and count:
                found.append(
                    DeadLetterQueue(
                        name,
                        count,
                        back_to,
                        tuple(map(_sample, self._received(url, LOOK_S, SAMPLES))),
                    )
                )
        return found

    def redrive(self, name: str) -> int:
        back_to = dict(self._queues()).get(name)
        url, destination = self._url(name), self._url(back_to) if back_to else None
        if url is None or destination is None:
            known = ", ".join(queue for queue, back in self._queues() if back)
            raise NotFound(
                f"{name} is no queue whose messages can be put back.",
                why=f"those are: {known}",
                next="dyna dlq ls",
            )
        moved = 0
        # What `dlq ls` has just looked at comes back within the wait.
        # No more than were there: one that fails again comes back here, and would go round for ever.
        wanted = self._count(url)
        while moved < wanted and (
            messages := self._received(url, MOVED_WITHIN_S, wanted - moved, wait_s=LOOK_S + 1)
        ):
            for message in messages:
                # Put back before it is deleted: at the worst it is there twice, and handling it twice is harmless.
                self._cloud.call(
                    "sqs", "send_message", QueueUrl=destination, MessageBody=message["Body"]
                )
                self._cloud.call(
                    "sqs", "delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]
                )
                moved += 1
        return moved

    def _queues(self) -> list[tuple[str, str | None]]:
        """Every dead-letter queue by its name, and the queue behind which it stands."""
        bus = self._place.bus
        ours: list[tuple[str, str | None]] = [
            (f"{bus}-{name}{DEAD}", f"{bus}-{name}") for name in ON_QUEUES
        ]
        ours += [(f"{bus}-{name}{DEAD}", None) for name in CALLED]
        for info in self._asking.servers():
            ours += [
                (f"{info.server}{DEAD}", None),
                (f"{info.server}-work{DEAD}", f"{info.server}-work"),
            ]
        return ours

    def _url(self, name: str) -> str | None:
        try:
            url: str = self._cloud.call("sqs", "get_queue_url", QueueName=name)["QueueUrl"]
        except ResourceNotFound:
            return None
        except AccessError:
            if name.startswith(f"{self._place.bus}-"):
                raise
            # A queue of another team's, which we may not look into, is nothing that we could put right.
            return None
        return url

    def _count(self, url: str) -> int:
        """What is in a queue, also what somebody looks at this very moment."""
        told = self._cloud.call(
            "sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=list(_COUNTED)
        )
        return sum(int(told["Attributes"].get(name, 0)) for name in _COUNTED)

    def _received(
        self, url: str, for_s: int, most: int, *, wait_s: int = 0
    ) -> list[dict[str, Any]]:
        answer = self._cloud.call(
            "sqs",
            "receive_message",
            QueueUrl=url,
            MaxNumberOfMessages=min(most, 10),
            VisibilityTimeout=for_s,
            WaitTimeSeconds=wait_s,
            MessageAttributeNames=["All"],
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    # --- crons ---------------------------------------------------------------------------------------------------------
    def paused(self) -> Sequence[str]:
        return sorted(
            {
                _task_of(found)
                for found in map(self._schedule, self._schedule_names("cron-", state="DISABLED"))
            }
        )

    def pause(self, task: str, *, on: bool) -> None:
        found = [
            each
            for each in map(self._schedule, self._schedule_names(f"cron-{task[:24]}-"))
            if _task_of(each) == task
        ]
        if not found:
            raise NotFound(f'task "{task}" has no cron on this bus.', next="dyna cron ls")
        for each in found:
            # An update says all that is to stand.
            kept = (
                "Name",
                "GroupName",
                "ScheduleExpression",
                "ScheduleExpressionTimezone",
                "FlexibleTimeWindow",
                "Target",
                "Description",
            )
            stands = {name: each[name] for name in kept if name in each}
            self._cloud.call(
                "scheduler", "update_schedule", **stands, State="DISABLED" if on else "ENABLED"
            )

    def _schedule_names(self, prefix: str, state: str | None = None) -> Iterator[str]:
        token: dict[str, str] = {}
        only = {} if state is None else {"State": state}
        while True:
            page = self._cloud.call(
                "scheduler",
                "list_schedules",
                GroupName=self._group,
                NamePrefix=prefix,
                **only,
                **token,
            )
            yield from (
                each["Name"] for each in page["Schedules"] if state in (None, each["State"])
            )
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def _schedule(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._cloud.call(
            "scheduler", "get_schedule", GroupName=self._group, Name=name
        )
        return found

    @property
    def _group(self) -> str:
        return self._place.schedule_group or self._place.bus


def _task_of(schedule: dict[str, Any]) -> str:
    """The task whose ticks a schedule sends."""
    told = json.loads(schedule["Target"].get("Input") or "{}")
    return str(told.get("tick", {}).get("task", ""))


def _sample(message: dict[str, Any]) -> str:
    """One dead letter on one line: what it is, and why it is here."""
    attributes = {
        name: value.get("StringValue", "")
        for name, value in message.get("MessageAttributes", {}).items()
    }
    reason = (
        attributes.get("reason")
        or attributes.get("ERROR_MESSAGE")
        or "delivered in vain five times"
    )
    return f"{_kind_of(message['Body'])}: {reason}"


def _kind_of(body: str) -> str:
    try:
        told = json.loads(body)
    except ValueError:
        return "not JSON"
    if not isinstance(told, dict):
        return "not an event"
    detail = told.get("detail")
    subject = (
        " ".join(str(detail[name]) for name in ("task", "run_id", "server") if name in detail)
        if isinstance(detail, dict)
        else ""
    )
    return f"{told.get('detail-type') or next(iter(told), 'nothing')} {subject}".strip()

"""Dead letters: the dead-letter queues of cerebro and of its servers, and putting messages back.

Invariant: a message is sent back before it is deleted. A crash in between leaves it twice, and
handling it twice is harmless.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from cordyna_cli.aws.aws_session import AwsSession, ResourceNotFound
from cordyna_cli.aws.discovery import CerebroLocation
from cordyna_cli.aws.queries import QueryClient
from cordyna_cli.operations import DeadLetterQueue
from cordyna_core.aws.deployed_names import deployed_name
from cordyna_core.errors import AccessError, NotFound

DEAD_LETTER_SUFFIX: Final = "-dead-letters"

QUEUE_HANDLERS: Final = ("registry", "planner", "tracker", "timekeeper", "incidents")
"""The handlers of cerebro that have a queue, into which dead letters can be put back."""

OTHER_FUNCTIONS: Final = ("sweeper", "query", "log")

SAMPLES_MAX: Final = 3
SAMPLE_VISIBILITY_S: Final = 5
"""A sampled message is back in its queue after this time."""

REDRIVE_VISIBILITY_S: Final = 60

_COUNT_ATTRIBUTES: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
)
_MESSAGES_PER_RECEIVE_MAX: Final = 10


class DeadLetters:
    """The dead-letter queues of one cerebro."""

    def __init__(
        self, session: AwsSession, location: CerebroLocation, queries: QueryClient
    ) -> None:
        self._session, self._queries = session, queries
        self._bus, self._stage = location.bus, location.stage

    def queues(self) -> Sequence[DeadLetterQueue]:
        """Return the queues that are not empty. Raises AccessError, ServiceError."""
        queues = []
        for name, back_to in self._queue_names():
            url = self._url(name)
            count = 0 if url is None else self._count(url)
            if url is not None and count:
                messages = self._receive(url, SAMPLE_VISIBILITY_S, SAMPLES_MAX)
                samples = tuple(map(_sample, messages))
                queues.append(DeadLetterQueue(name, count, back_to, samples))
        return queues

    def redrive(self, name: str) -> int:
        """Put the messages of a queue back; how many. Raises NotFound."""
        back_to = dict(self._queue_names()).get(name)
        url, destination = self._url(name), self._url(back_to) if back_to else None
        if url is None or destination is None:
            known = ", ".join(queue for queue, back in self._queue_names() if back)
            raise NotFound(
                f"{name} is not a queue whose messages can be put back.",
                why=f"those are: {known}",
                next="dyna dlq ls",
            )
        # Not more than there are now: a message that fails again comes back here, for ever.
        wanted, moved = self._count(url), 0
        # Messages that `dlq ls` has just sampled come back within the wait.
        while moved < wanted and (
            messages := self._receive(
                url, REDRIVE_VISIBILITY_S, wanted - moved, wait_s=SAMPLE_VISIBILITY_S + 1
            )
        ):
            for message in messages:
                self._move(message, url, destination)
            moved += len(messages)
        return moved

    def require_queue(self, name: str) -> str:
        """Return the address of a dead-letter queue. Raises NotFound: there is no such queue."""
        url = self._url(name) if name in dict(self._queue_names()) else None
        if url is None:
            known = ", ".join(queue for queue, _ in self._queue_names())
            raise NotFound(
                f'there is no dead-letter queue "{name}".',
                why=f"those are: {known}",
                next="dyna dlq ls",
            )
        return url

    def purge(self, name: str) -> int:
        """Delete the messages of a queue; how many. Raises NotFound."""
        url = self.require_queue(name)
        count = self._count(url)
        self._session.call("sqs", "purge_queue", QueueUrl=url)
        return count

    def _move(self, message: dict[str, Any], url: str, destination: str) -> None:
        self._session.call("sqs", "send_message", QueueUrl=destination, MessageBody=message["Body"])
        self._session.call(
            "sqs", "delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]
        )

    def _queue_names(self) -> list[tuple[str, str | None]]:
        """Return every dead-letter queue by its name, and the queue whose messages it takes."""
        names: list[tuple[str, str | None]] = [
            (f"{self._bus}-{handler}{DEAD_LETTER_SUFFIX}", f"{self._bus}-{handler}")
            for handler in QUEUE_HANDLERS
        ]
        names += [(f"{self._bus}-{name}{DEAD_LETTER_SUFFIX}", None) for name in OTHER_FUNCTIONS]
        for info in self._queries.servers():
            server = deployed_name(info.server, self._stage)
            work_queue = f"{server}-work"
            names.append((f"{server}{DEAD_LETTER_SUFFIX}", None))
            names.append((f"{work_queue}{DEAD_LETTER_SUFFIX}", work_queue))
        return names

    def _url(self, name: str) -> str | None:
        """None for a queue that does not exist, or belongs to another team and cannot be read."""
        try:
            url: str = self._session.call("sqs", "get_queue_url", QueueName=name)["QueueUrl"]
        except ResourceNotFound:
            return None
        except AccessError:
            if name.startswith(f"{self._bus}-"):
                raise
            return None
        return url

    def _count(self, url: str) -> int:
        """Return the messages of a queue, those included that another reader has received."""
        answer = self._session.call(
            "sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=list(_COUNT_ATTRIBUTES)
        )
        return sum(int(answer["Attributes"].get(name, 0)) for name in _COUNT_ATTRIBUTES)

    def _receive(
        self, url: str, visibility_s: int, most: int, *, wait_s: int = 0
    ) -> list[dict[str, Any]]:
        answer = self._session.call(
            "sqs",
            "receive_message",
            QueueUrl=url,
            MaxNumberOfMessages=min(most, _MESSAGES_PER_RECEIVE_MAX),
            VisibilityTimeout=visibility_s,
            WaitTimeSeconds=wait_s,
            MessageAttributeNames=["All"],
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages


def _sample(message: dict[str, Any]) -> str:
    """Return one dead letter on one line: what it is, and why it is here."""
    attributes = {
        name: value.get("StringValue", "")
        for name, value in message.get("MessageAttributes", {}).items()
    }
    reason = (
        attributes.get("reason")
        or attributes.get("ERROR_MESSAGE")
        or "its handler failed on every delivery"
    )
    return f"{_message_words(message['Body'])}: {reason}"


def _message_words(body: str) -> str:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(event, dict):
        return "not an event"
    detail = event.get("detail")
    fields = detail if isinstance(detail, dict) else {}
    subject = " ".join(str(fields[name]) for name in ("task", "run_id", "server") if name in fields)
    return f"{event.get('detail-type') or next(iter(event), 'nothing')} {subject}".strip()

"""Testing: what stands in for a platform in tests, and the laws that every platform's adapter keeps.

Law: what is here does what the ports say, no less; a suite of laws knows no adapter.

An adapter's tests subclass a suite under a name that pytest collects, and say how the adapter is made:

    class TestMemoryClaims(ClaimsContract):
        def two_claimants(self) -> tuple[Claims, Claims]:
            claims = MemoryClaims()
            return claims, claims
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from cordyna_core.contract.base import Message, Meta
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.ports import Bus, Claims


class RecordingBus:
    """A Bus that keeps what is published."""

    def __init__(self) -> None:
        self.published: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> None:
        self.published.extend(messages)


class MemoryClaims:
    """Claims of one process."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str, int], object] = {}

    def claim(self, run_id: str, task: str, attempt: int) -> bool:
        mine = object()
        # setdefault is one step, also between threads.
        return self._taken.setdefault((run_id, task, attempt), mine) is mine


RUN: str = derived_id("laws")
SERVER: str = "server-of-laws"


def an_update(task: str, output: object = None) -> TaskStateChanged:
    """What SERVER says when `task` has completed."""
    meta = Meta(id=derived_id("law", task), time=utc(1_790_000_000.25))
    return TaskStateChanged(
        server=SERVER, run_id=RUN, task=task, attempt=1, state="completed", output=output, meta=meta
    )


def a_large_command(task: str, size: int) -> RunTask:
    """A RunTask with `size` bytes of upstream output; cerebro sends up to 128 KB."""
    meta = Meta(id=derived_id("law", task))
    sent = {"upstream-1": "x" * size}
    return RunTask(
        server=SERVER,
        run_id=RUN,
        task=task,
        attempt=1,
        upstream=sent,
        ack_by=utc(10),
        start_by=utc(20),
        meta=meta,
    )


class BusContract(ABC):
    """Every Bus keeps these. The order in which messages arrive, and how often, is nobody's promise."""

    @abstractmethod
    def a_bus(self, source: str) -> tuple[Bus, Callable[[], Sequence[Message]]]:
        """A new bus that publishes as `source`, and what tells the messages that are on it."""

    def test_what_was_published_is_on_the_bus(self) -> None:
        self._published([an_update("task-1")])

    def test_a_message_arrives_as_it_was_sent(self) -> None:
        output = {
            "text": 'ü "quoted" \\ \n \u2028',
            "none": None,
            "list": [1, 2.5, True, []],
            "large": 2**60,
        }
        self._published([an_update("task-1", output)])

    def test_nothing_published_is_nothing_on_the_bus(self) -> None:
        assert self._published([]) == {}

    def test_more_messages_than_one_request_takes_all_arrive(self) -> None:
        self._published([an_update(f"task-{number}") for number in range(25)])

    def test_more_bytes_than_one_request_takes_all_arrive(self) -> None:
        self._published(
            [a_large_command(f"task-{number}", 120_000) for number in range(12)],
            source="cordyna.cerebro",
        )

    def test_a_message_that_is_sent_again_keeps_its_id(self) -> None:
        bus, heard = self.a_bus(f"cordyna.server.{SERVER}")
        bus.publish([an_update("task-1")])
        bus.publish([an_update("task-1")])
        assert {_id_of(message) for message in heard()} == {_id_of(an_update("task-1"))}

    def _published(
        self, messages: Sequence[Message], *, source: str = f"cordyna.server.{SERVER}"
    ) -> dict[str, Message]:
        bus, heard = self.a_bus(source)
        bus.publish(messages)
        on_the_bus = {_id_of(message): message for message in heard()}
        assert on_the_bus == {_id_of(message): message for message in messages}
        return on_the_bus


class ClaimsContract(ABC):
    """Every Claims keeps these."""

    @abstractmethod
    def two_claimants(self) -> tuple[Claims, Claims]:
        """Two instances of one server, which share whatever holds the claims; nothing is claimed yet."""

    def test_the_first_claim_is_granted(self) -> None:
        one, _ = self.two_claimants()
        assert one.claim(RUN, "task-1", 1)

    def test_the_same_claim_is_granted_once(self) -> None:
        one, other = self.two_claimants()
        assert [
            one.claim(RUN, "task-1", 1),
            one.claim(RUN, "task-1", 1),
            other.claim(RUN, "task-1", 1),
        ] == [True, False, False]

    def test_another_attempt_another_task_and_another_run_are_other_claims(self) -> None:
        one, other = self.two_claimants()
        assert one.claim(RUN, "task-1", 1)
        assert other.claim(RUN, "task-1", 2)
        assert other.claim(RUN, "task-2", 1)
        assert other.claim(derived_id("another run"), "task-1", 1)

    def test_of_many_at_once_one_is_granted(self) -> None:
        both = self.two_claimants()
        with ThreadPoolExecutor(8) as pool:
            granted = list(
                pool.map(lambda number: both[number % 2].claim(RUN, "task-1", 1), range(32))
            )
        assert granted.count(True) == 1


def _id_of(message: Message) -> str:
    assert message.meta is not None
    assert message.meta.id is not None
    return message.meta.id

"""Testing: adapters in memory, whole graphs in virtual time, and contract tests of the ports.

Invariant: the adapters here keep the whole contract of their ports; the contract tests know no
adapter.

The tests of an adapter derive from a suite, under a name that pytest collects, and make the
adapter:

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
from cordyna_core.graph_testing import GraphRun, VirtualGraph, run_graph, virtual_graph
from cordyna_core.ports import Bus, Claims

__all__ = [
    "ClaimsContract",
    "GraphRun",
    "MemoryClaims",
    "RecordingBus",
    "VirtualGraph",
    "run_graph",
    "virtual_graph",
]


class RecordingBus:
    """A Bus that keeps what is published, in `published`."""

    def __init__(self) -> None:
        self.published: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> None:
        self.published.extend(messages)


class MemoryClaims:
    """Claims in the memory of one process."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str, int], object] = {}

    def claim(self, run_id: str, task: str, attempt: int) -> bool:
        mine = object()
        # setdefault is atomic between threads.
        return self._taken.setdefault((run_id, task, attempt), mine) is mine


RUN: str = derived_id("contract-tests")
SERVER: str = "contract-tests"


def an_update(task: str, output: object = None) -> TaskStateChanged:
    """Return the update of SERVER that `task` has completed."""
    meta = Meta(id=derived_id("update", task), time=utc(1_790_000_000.25))
    return TaskStateChanged(
        server=SERVER, run_id=RUN, task=task, attempt=1, state="completed", output=output, meta=meta
    )


def a_large_command(task: str, size: int) -> RunTask:
    """Return a RunTask with `size` bytes of upstream output; cerebro sends up to 128 KB."""
    meta = Meta(id=derived_id("command", task))
    outputs = {"upstream-1": "x" * size}
    return RunTask(
        server=SERVER,
        run_id=RUN,
        task=task,
        attempt=1,
        upstream=outputs,
        ack_by=utc(10),
        start_by=utc(20),
        meta=meta,
    )


class BusContract(ABC):
    """What every Bus does. It does not promise in which order messages arrive, nor how often."""

    @abstractmethod
    def a_bus(self, source: str) -> tuple[Bus, Callable[[], Sequence[Message]]]:
        """Return a new bus that publishes as `source`, and a function that reads its messages."""

    def test_publish_puts_the_message_on_the_bus(self) -> None:
        self._published([an_update("task-1")])

    def test_publish_any_json_arrives_unchanged(self) -> None:
        output = {
            "text": 'ü "quoted" \\ \n \u2028',
            "none": None,
            "list": [1, 2.5, True, []],
            "large": 2**60,
        }
        self._published([an_update("task-1", output)])

    def test_publish_nothing_puts_nothing_on_the_bus(self) -> None:
        assert self._published([]) == {}

    def test_publish_many_messages_all_arrive(self) -> None:
        self._published([an_update(f"task-{number}") for number in range(25)])

    def test_publish_many_bytes_all_arrive(self) -> None:
        self._published(
            [a_large_command(f"task-{number}", 120_000) for number in range(12)],
            source="cordyna.cerebro",
        )

    def test_publish_again_keeps_the_message_id(self) -> None:
        bus, read = self.a_bus(f"cordyna.server.{SERVER}")
        bus.publish([an_update("task-1")])
        bus.publish([an_update("task-1")])
        assert {_id_of(message) for message in read()} == {_id_of(an_update("task-1"))}

    def _published(
        self, messages: Sequence[Message], *, source: str = f"cordyna.server.{SERVER}"
    ) -> dict[str, Message]:
        bus, read = self.a_bus(source)
        bus.publish(messages)
        on_the_bus = {_id_of(message): message for message in read()}
        assert on_the_bus == {_id_of(message): message for message in messages}
        return on_the_bus


class ClaimsContract(ABC):
    """What every Claims does."""

    @abstractmethod
    def two_claimants(self) -> tuple[Claims, Claims]:
        """Return the claims of two instances of one server; nothing is claimed yet."""

    def test_claim_first_is_granted(self) -> None:
        one, _ = self.two_claimants()
        assert one.claim(RUN, "task-1", 1)

    def test_claim_again_is_refused(self) -> None:
        one, other = self.two_claimants()
        assert [
            one.claim(RUN, "task-1", 1),
            one.claim(RUN, "task-1", 1),
            other.claim(RUN, "task-1", 1),
        ] == [True, False, False]

    def test_claim_other_attempt_task_or_run_is_granted(self) -> None:
        one, other = self.two_claimants()
        assert one.claim(RUN, "task-1", 1)
        assert other.claim(RUN, "task-1", 2)
        assert other.claim(RUN, "task-2", 1)
        assert other.claim(derived_id("another run"), "task-1", 1)

    def test_claim_concurrently_one_is_granted(self) -> None:
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

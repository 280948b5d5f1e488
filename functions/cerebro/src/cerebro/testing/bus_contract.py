"""Contract tests of CerebroBus. Order and number of deliveries are not part of the contract."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cerebro.ports import CerebroBus
from cerebro.testing.examples import NOW, RUN
from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.commands import InvokeTask, RunTask
from cordyna_core.contract.ids import CEREBRO, SCHEDULER, derived_id
from cordyna_core.contract.state_updates import RunStateChanged
from cordyna_core.contract.time import utc


class ReceivedMessage(NamedTuple):
    """A message as it arrived, and its source."""

    source: str
    message: Message


def a_command(number: int, size: int = 0) -> RunTask:
    """Return a command with `size` bytes of upstream output; cerebro sends up to 128 KB."""
    return RunTask(
        meta=meta_at(NOW, derived_id("example", number), "cause-1"),
        server="server-a",
        run_id=RUN,
        task=f"task-{number}",
        attempt=1,
        upstream={"task-0": "x" * size, "text": 'ü "quoted" \\ \n \u2028', "none": None},
        ack_by=utc(NOW + 10),
        start_by=utc(NOW + 610),
    )


class CerebroBusContract(ABC):
    """All contract tests of the CerebroBus port."""

    @abstractmethod
    def a_bus(self) -> tuple[CerebroBus, Callable[[], Sequence[ReceivedMessage]]]:
        """Return a new bus, and a function that returns what is on it."""

    def test_published_message_arrives_with_cerebro_as_source(self) -> None:
        ended = RunStateChanged(
            meta=meta_at(NOW, derived_id("example"), "cause-1"),
            run_id=RUN,
            task="x",
            state="completed",
        )
        self._check_arrival(ReceivedMessage(CEREBRO, a_command(1)), ReceivedMessage(CEREBRO, ended))

    def test_cron_invocation_arrives_with_scheduler_as_source(self) -> None:
        tick = InvokeTask(meta=meta_at(NOW, derived_id("tick")), task="x", scheduled_at=utc(NOW))
        self._check_arrival(
            ReceivedMessage(SCHEDULER, tick), ReceivedMessage(CEREBRO, a_command(1))
        )

    def test_publishing_nothing_puts_nothing_on_the_bus(self) -> None:
        self._check_arrival()

    def test_messages_beyond_one_request_all_arrive(self) -> None:
        self._check_arrival(*(ReceivedMessage(CEREBRO, a_command(number)) for number in range(25)))

    def test_bytes_beyond_one_request_all_arrive(self) -> None:
        self._check_arrival(
            *(ReceivedMessage(CEREBRO, a_command(number, 120_000)) for number in range(12))
        )

    def test_message_published_again_keeps_its_id(self) -> None:
        bus, received = self.a_bus()
        bus.publish([a_command(1)])
        bus.publish([a_command(1)])
        assert _by_id(received()) == _by_id([ReceivedMessage(CEREBRO, a_command(1))])

    def _check_arrival(self, *expected: ReceivedMessage) -> None:
        bus, received = self.a_bus()
        bus.publish([published.message for published in expected])
        assert _by_id(received()) == _by_id(expected)


def _by_id(messages: Sequence[ReceivedMessage]) -> dict[str | None, ReceivedMessage]:
    return {
        received.message.meta.id if received.message.meta else None: received
        for received in messages
    }

"""Bus laws: what every CerebroBus keeps. The order in which messages arrive, and how often, is nobody's promise."""

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
    """A message as it arrived, and as whose."""

    source: str
    message: Message


def a_command(number: int, size: int = 0) -> RunTask:
    """A command with `size` bytes of upstream output; cerebro sends up to 128 KB."""
    return RunTask(
        meta=meta_at(NOW, derived_id("law", number), "cause-1"),
        server="server-a",
        run_id=RUN,
        task=f"task-{number}",
        attempt=1,
        upstream={"task-0": "x" * size, "text": 'ü "quoted" \\ \n \u2028', "none": None},
        ack_by=utc(NOW + 10),
        start_by=utc(NOW + 610),
    )


class CerebroBusContract(ABC):
    """All laws of the CerebroBus port."""

    @abstractmethod
    def a_bus(self) -> tuple[CerebroBus, Callable[[], Sequence[ReceivedMessage]]]:
        """A new bus, and what tells what is on it."""

    def test_what_cerebro_publishes_arrives_as_cerebros(self) -> None:
        ended = RunStateChanged(
            meta=meta_at(NOW, derived_id("law"), "cause-1"), run_id=RUN, task="x", state="completed"
        )
        self._arrive(ReceivedMessage(CEREBRO, a_command(1)), ReceivedMessage(CEREBRO, ended))

    def test_the_invocation_of_a_cron_tick_arrives_as_the_schedulers(self) -> None:
        tick = InvokeTask(meta=meta_at(NOW, derived_id("tick")), task="x", scheduled_at=utc(NOW))
        self._arrive(ReceivedMessage(SCHEDULER, tick), ReceivedMessage(CEREBRO, a_command(1)))

    def test_nothing_published_is_nothing_on_the_bus(self) -> None:
        self._arrive()

    def test_more_messages_than_one_request_takes_all_arrive(self) -> None:
        self._arrive(*(ReceivedMessage(CEREBRO, a_command(number)) for number in range(25)))

    def test_more_bytes_than_one_request_takes_all_arrive(self) -> None:
        self._arrive(
            *(ReceivedMessage(CEREBRO, a_command(number, 120_000)) for number in range(12))
        )

    def test_a_message_that_is_published_again_keeps_its_id(self) -> None:
        bus, heard = self.a_bus()
        bus.publish([a_command(1)])
        bus.publish([a_command(1)])
        assert _by_id(heard()) == _by_id([ReceivedMessage(CEREBRO, a_command(1))])

    def _arrive(self, *expected: ReceivedMessage) -> None:
        bus, heard = self.a_bus()
        bus.publish([each.message for each in expected])
        assert _by_id(heard()) == _by_id(expected)


def _by_id(heard: Sequence[ReceivedMessage]) -> dict[str | None, ReceivedMessage]:
    return {each.message.meta.id if each.message.meta else None: each for each in heard}

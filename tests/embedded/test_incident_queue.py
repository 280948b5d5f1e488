"""The queue of incidents: what a transaction added counts once it is committed."""

from cerebro.core.incidents.notices import FailureNotice
from cerebro.embedded.runtime.incident_queue import IncidentQueue
from cerebro.embedded.storage.home import MemoryHome


def test_notice_of_a_committed_transaction_waits() -> None:
    queue = IncidentQueue(MemoryHome())
    queue.add(FailureNotice("R"))
    assert not queue
    queue.on_commit()
    assert queue


def test_notice_of_a_rolled_back_transaction_is_forgotten() -> None:
    queue = IncidentQueue(MemoryHome())
    queue.add(FailureNotice("R"))
    queue.on_roll_back()
    queue.on_commit()
    assert not queue

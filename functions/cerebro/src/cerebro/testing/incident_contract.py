"""Contract tests of Store: incidents, their marks, and deadlines."""

from abc import ABC, abstractmethod
from dataclasses import replace

from cerebro.core.incidents.deadline import Deadline
from cerebro.core.incidents.incident import Blocked, Failure, Incident
from cerebro.ports import Store
from cerebro.testing.examples import NOW, RUN, a_declaration, accept
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.incidents import incident_id

INCIDENT = Incident(
    id=incident_id("failed", "x"),
    kind="failed",
    task="x",
    server="server-a",
    owner="Zoë",
    opened_at=NOW,
    opened_by="event-1",
    published_at=NOW,
    reason="failed",
    error=ErrorDescription(type="ValueError", message="no such day", traceback="Traceback"),
    run_id=RUN,
    blocked=(Blocked("y", "server-b", None, NOW + 60), Blocked("z", "server-b", "team-b")),
    seen=(f"{RUN}:0:1",),
    failing=(Failure(RUN, 0, 1),),
    commands=("c",),
)
DEADLINE = Deadline(task="x", nominal=NOW, due=NOW + 3600, before=NOW - 86_400)


class IncidentContract(ABC):
    """The contract tests of Store that are about incidents."""

    @abstractmethod
    def two_stores(self) -> tuple[Store, Store]:
        """Two stores, as two processes have them, on the same data, which is empty."""

    def test_unknown_incident_is_none(self) -> None:
        store, _ = self.two_stores()
        assert store.read_incident(INCIDENT.id) is None
        assert store.incidents() == []

    def test_incident_is_read_as_written(self) -> None:
        one, other = self.two_stores()
        assert one.write_incident(INCIDENT, None) is None
        assert other.read_incident(INCIDENT.id) == INCIDENT
        assert other.incidents() == [INCIDENT]

    def test_concurrent_incidents_one_wins(self) -> None:
        one, other = self.two_stores()
        assert one.write_incident(INCIDENT, None) is None
        mine = replace(INCIDENT, opened_by="event-2")
        assert other.write_incident(mine, None) == INCIDENT
        second = replace(INCIDENT, times=2, version=2)
        assert one.write_incident(second, INCIDENT) is None
        assert other.write_incident(replace(INCIDENT, times=3, version=2), INCIDENT) == second

    def test_closed_incident_is_kept_and_opened_again(self) -> None:
        one, other = self.two_stores()
        closed = replace(INCIDENT, closed_at=NOW + 5, closed_by="event-3", version=2)
        again = replace(INCIDENT, episode=2, version=3)
        one.write_incident(INCIDENT, None)
        one.write_incident(closed, INCIDENT)
        assert other.read_incident(INCIDENT.id) == closed
        assert other.write_incident(again, closed) is None
        assert one.incidents() == [again]

    def test_marks_are_read_with_the_graph(self) -> None:
        one, other = self.two_stores()
        accept(one, a_declaration("server-a", "x"))
        for mark in ("failed:x", "unresponsive:server-a", "failed:x"):
            one.mark_cause(mark, on=True)
        assert other.read_graph().watched == {"failed:x", "unresponsive:server-a"}
        other.mark_cause("failed:x", on=False)
        other.mark_cause("failed:x", on=False)
        assert one.read_graph().watched == {"unresponsive:server-a"}

    def test_marks_stay_when_the_graph_changes(self) -> None:
        one, other = self.two_stores()
        one.mark_cause("rejected_declaration:server-a", on=True)
        assert other.read_graph().watched == {"rejected_declaration:server-a"}
        assert accept(one, a_declaration("server-a", "x"))
        assert accept(other, a_declaration("server-a", "x", "y"))
        for store in (one, other):
            graph = store.read_graph()
            assert (graph.generation, list(graph)) == (2, ["x", "y"])
            assert graph.watched == {"rejected_declaration:server-a"}

    def test_marks_are_no_part_of_the_head(self) -> None:
        one, other = self.two_stores()
        accept(one, a_declaration("server-a", "x"))
        seen = other.read_graph().head
        one.mark_cause("failed:x", on=True)
        assert accept(other, a_declaration("server-a", "y"), seen=seen)

    def test_deadline_is_read_as_written_until_it_is_decided(self) -> None:
        one, other = self.two_stores()
        assert one.read_deadline("x", NOW) is None
        assert one.write_deadline(DEADLINE, None) is None
        assert other.write_deadline(replace(DEADLINE, due=NOW), None) == DEADLINE
        assert other.open_deadlines() == [DEADLINE]
        missed = replace(DEADLINE, outcome="missed", version=2)
        met = replace(DEADLINE, outcome="met", version=2)
        assert one.write_deadline(missed, DEADLINE) is None
        assert other.write_deadline(met, DEADLINE) == missed
        assert (other.read_deadline("x", NOW), other.open_deadlines()) == (missed, [])

"""Rule 19: a silent server with more tasks in a run than are watched (docs/rules.md, rule 19)."""

from collections import Counter

import pytest

from cerebro.core.incidents.causes import CAUSES_PER_RUN_MAX, record_failures
from cerebro.core.incidents.incident import Incident
from cerebro.core.incidents.watch import OF_ONE_SERVER_MAX, last_answers
from cerebro.core.model.plan import CachedResult, Plan, PlannedTask
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.shell import perform
from cordyna_core.contract.incidents import IncidentChanged
from world.incidents import deliveries, events, incident_events, the_incident
from world.scenarios import ReactionWorld, a_world

NAMES = [f"w{number}" for number in range(OF_ONE_SERVER_MAX + 4)]
LATE = NAMES[-1]
OPENED = "opened unresponsive s"
CLOSED = "closed unresponsive s"


def a_large_world(**late: object) -> ReactionWorld:
    """Many tasks of server s, and one of server t that awaits them all."""
    world = a_world("  ".join(NAMES), **{LATE: {"retries": 1, **late}})
    world.declare("t", f"end<-{','.join(NAMES)}")
    return world


def a_run_at_its_last_task(world: ReactionWorld) -> str:
    """A run in which only the last task of the server has not completed."""
    run_id = world.invoke("end")
    for name in NAMES[:-1]:
        world.report(name, "completed", run_id=run_id)
    world.report(LATE, "started", run_id=run_id)
    return run_id


def complete_in_a_second_attempt(world: ReactionWorld, run_id: str) -> None:
    world.report(LATE, "error", run_id=run_id)
    world.after(8)
    world.report(LATE, "completed", run_id=run_id, attempt=2)


def open_by_another_run(world: ReactionWorld) -> None:
    world.invoke("w0")
    world.after(15)
    assert events(world) == [OPENED]


def test_later_task_closes_it_when_the_run_completes() -> None:
    world = a_large_world(run_timeout_s=86_400)
    run_id = a_run_at_its_last_task(world)
    open_by_another_run(world)
    world.after(700)
    complete_in_a_second_attempt(world, run_id)
    assert events(world) == [OPENED], "it is not among those that are watched"
    world.report("end", "completed", run_id=run_id)
    assert events(world) == [OPENED, CLOSED]
    assert world.store.read_graph().watched == frozenset()


def test_later_task_closes_it_when_the_run_ends_in_error() -> None:
    world = a_large_world(run_timeout_s=86_400)
    run_id = world.invoke("end")
    for name in NAMES[:-2]:
        world.report(name, "completed", run_id=run_id)
    world.report(LATE, "started", run_id=run_id)
    world.after(15)
    assert events(world) == [OPENED], f"{NAMES[-2]} was not acknowledged"
    world.after(700)
    complete_in_a_second_attempt(world, run_id)
    assert events(world.after(20)) == [OPENED, CLOSED]
    assert world.run(run_id).state == "error"


def test_later_task_before_the_mark_closes_it_in_ten_minutes() -> None:
    world = a_large_world()
    run_id = a_run_at_its_last_task(world)
    open_by_another_run(world)
    complete_in_a_second_attempt(world, run_id)
    assert events(world) == [OPENED]
    world.report("end", "started", run_id=run_id)
    assert events(world.after(600)) == [OPENED, CLOSED]


def test_run_that_completed_before_the_opening_leaves_it_open() -> None:
    world = a_large_world(run_timeout_s=86_400)
    run_id = a_run_at_its_last_task(world)
    open_by_another_run(world)
    world.after(700)
    world.report(LATE, "completed", run_id=run_id)
    world.report("end", "completed", run_id=run_id)
    assert events(world) == [OPENED], "its command was sent before the opening"


def test_reused_result_is_no_answer_of_a_server() -> None:
    result = CachedResult("run", 0, 1.0, None, None, "f")
    plan = Plan(tuple(PlannedTask(name=name, server="s", reuses=result) for name in NAMES))
    facts = {0: TaskRun(attempt=1, rank=Rank.COMPLETED, dispatched_at=5.0, cause="c")}
    assert last_answers(plan, facts) == {}


def test_many_failures_at_once_send_one_timer() -> None:
    world = a_large_world()
    world.invoke("end")
    world.after(60)
    incident = the_incident(world, "unresponsive", "s")
    assert incident.times >= len(NAMES)
    assert [due for due, _, _ in world.driver.incident_timers] == [incident.opened_at + 600]
    world.after(1900)
    assert events(world) == [OPENED, "changed unresponsive s"]
    assert incident_events(world)[-1].times == incident.times
    assert deliveries(world.published, IncidentChanged) == 1


def test_change_after_the_settling_is_published_once() -> None:
    world = a_large_world()
    world.invoke("w0")
    world.after(900)
    for name in NAMES[1:6]:
        world.invoke(name)
    world.after(15)
    # The one that made it dirty is recorded as silent, as a failure, and at the end of its run.
    assert len(world.driver.incident_timers) <= 3
    world.after(1900)
    assert events(world) == [OPENED, "changed unresponsive s"]


def test_failures_of_a_run_read_a_bounded_number_of_incidents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"f{number}" for number in range(CAUSES_PER_RUN_MAX + 20)]
    world = a_world("  ".join(names))
    world.declare("t", f"all<-{','.join(names)}")
    run_id = world.invoke("all")
    read, read_incident = Counter[int](), world.store.read_incident
    for begin, end in ((0, CAUSES_PER_RUN_MAX), (CAUSES_PER_RUN_MAX, len(names))):
        for name in names[begin:end]:
            world.report(name, "error", run_id=run_id)

        def counted(incident: str, failed: int = end) -> Incident | None:
            read[failed] += 1
            return read_incident(incident)

        with monkeypatch.context() as patched:
            patched.setattr(world.store, "read_incident", counted)
            perform(record_failures(run_id, cause="again"), world.driver.ports)
    assert read[CAUSES_PER_RUN_MAX] == read[len(names)] > 0


def failing_once_more(world: ReactionWorld, run_id: str, name: str) -> Counter[str]:
    """Let one more task fail. Returns how often effects on incidents were asked for."""
    asked = Counter[str]()
    store = world.store

    def counted(name: str) -> None:
        method = getattr(store, name)

        def count(*arguments: object, **options: object) -> object:
            asked[name] += 1
            return method(*arguments, **options)

        setattr(store, name, count)

    for method in ("read_incident", "mark_cause", "read_graph"):
        counted(method)
    world.report(name, "error", run_id=run_id)
    return asked


def a_run_with_healed_failures(**fields: object) -> tuple[ReactionWorld, str]:
    """Ten tasks have failed and completed in a second attempt; y and z are under way."""
    healed = [f"h{number}" for number in range(10)]
    world = a_world(f"{'  '.join(healed)}  y  z", **dict.fromkeys(healed, fields))
    world.declare("t", f"all<-{','.join(healed)},y,z")
    run_id = world.invoke("all")
    for name in healed:
        world.report(name, "error", run_id=run_id)
    if not fields:
        world.report("y", "error", run_id=run_id)
        world.retry(*healed, run_id=run_id)
    else:
        world.after(8)
    for name in healed:
        world.report(name, "completed", run_id=run_id, attempt=2)
    return world, run_id


def test_closed_incident_is_read_once_when_another_task_fails() -> None:
    world, run_id = a_run_with_healed_failures()
    assert [event.split()[0] for event in events(world)].count("closed") == 10
    asked = failing_once_more(world, run_id, "z")
    # Those of y and z are recorded; each of the ten, and their server's, is read once.
    assert asked["read_incident"] <= 10 + 1 + 12
    assert asked["mark_cause"] <= 2


def test_failure_retried_by_itself_has_no_incident_to_read() -> None:
    world, run_id = a_run_with_healed_failures(retries=1)
    asked = failing_once_more(world, run_id, "z")
    assert asked["read_incident"] <= 8


def test_mark_left_behind_a_closed_incident_is_taken_away() -> None:
    """A delivery that had read it as open marked it when it was closed, and crashed."""
    world, run_id = a_run_with_healed_failures()
    mark = the_incident(world, "failed", "h3").mark
    assert mark not in world.store.read_graph().watched
    world.store.mark_cause(mark, on=True)
    world.report("z", "error", run_id=run_id)
    assert mark not in world.store.read_graph().watched
    assert the_incident(world, "failed", "z").mark in world.store.read_graph().watched

"""Structure, facts and excerpts of runs: they say the same as the view of the whole run."""

import json
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cerebro.core.fact_views import run_facts, run_structure, task_facts
from cerebro.core.model import Run, RunSnapshot, TaskRun
from cerebro.core.views import run_view
from cerebro.handlers import fact_queries, queries
from cerebro.handlers.query_api import answer
from cordyna_cli.wording.status_marks import mark_of
from cordyna_cli.wording.why import why_run, why_task
from cordyna_console.answers.reasons import run_reason
from cordyna_core.contract.query_api import full_json
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.facts import RunFacts, RunStructure, TaskRunFacts
from cordyna_core.contract.views.runs import RunView, TaskView
from world.scenarios import ReactionWorld, a_run, a_world
from world.world import NOON

STATES = ("", "queued", "started", "completed", "error")
Reading = tuple[Run, RunSnapshot, dict[int, TaskRun]]


@st.composite
def worlds(draw: st.DrawFn) -> ReactionWorld:
    """A run of up to nine tasks in any state, retried, late or cancelled."""
    size = draw(st.integers(1, 9))
    names = [f"t{index}" for index in range(size)]
    words = []
    for index, name in enumerate(names):
        needs = draw(st.sets(st.sampled_from(names[:index]), max_size=3)) if index else set()
        last = index == size - 1 and size > 1
        needs = set(names[:-1]) if last and not needs else needs
        words.append(name + (f"<-{','.join(sorted(needs))}" if needs else ""))
    world = a_world("  ".join(words), retries=draw(st.integers(0, 1)))
    world.invoke(names[-1], key="k")
    for name in names:
        state = draw(st.sampled_from(STATES))
        if state and name in {sent for sent, _ in world.sent}:
            world.reach(name, state)
        if draw(st.integers(0, 9)) == 0:
            world.after(draw(st.sampled_from([1.0, 12.0, 700.0])))
    if draw(st.integers(0, 5)) == 0:
        world.cancel()
    return world


def reading_of(world: ReactionWorld) -> Reading:
    (run,) = world.driver.store.runs(1)
    return queries.read(world.driver.store, run.id)


@given(world=worlds())
@settings(max_examples=300)
def test_excerpt_gives_the_reason_of_the_whole_run(world: ReactionWorld) -> None:
    reading, now = reading_of(world), utc(world.driver.now)
    whole = run_view(*reading)
    assert why_run(run_facts(*reading, cursor="").excerpt, now) == why_run(whole, now)
    for task in whole.tasks:
        facts = task_facts(*reading, reading[1].plan.index_of[task.task])
        assert facts.excerpt.tasks[0] == task
        assert why_task(facts.excerpt, task, now) == why_task(whole, task, now)
        users = [other.task for other in whole.tasks if task.task in other.upstream]
        assert sorted(facts.downstream) == sorted(users)


@given(world=worlds())
@settings(max_examples=300)
def test_columns_say_what_the_view_says(world: ReactionWorld) -> None:
    reading = reading_of(world)
    whole = run_view(*reading)
    structure, facts = run_structure(reading[1].plan), run_facts(*reading, cursor="")
    assert structure.task == [task.task for task in whole.tasks]
    assert structure.level == [task.level for task in whole.tasks]
    named = [structure.servers[at] for at in structure.server]
    assert named == [task.server for task in whole.tasks]
    for index, task in enumerate(whole.tasks):
        assert [structure.task[up] for up in structure.upstream[index]] == task.upstream
    columns = facts.columns
    for row, index in enumerate(columns.task):
        assert_row_says(facts, row, whole.tasks[index], whole)
    with_facts = [index for index, task in enumerate(whole.tasks) if task.timeline]
    assert columns.task == with_facts
    counts: dict[str, int] = {}
    for task in whole.tasks:
        counts[mark_of(task).word] = counts.get(mark_of(task).word, 0) + 1
    assert facts.counts == counts
    assert (facts.size, facts.plan_id) == (len(whole.tasks), reading[1].plan.id)
    assert (facts.ended_at is not None) == whole.is_final


def assert_row_says(facts: RunFacts, row: int, task: TaskView, run: RunView) -> None:
    columns = facts.columns
    word = facts.words[columns.word[row]]
    # What waits again is blocked or cancelled by derivation, which is left to the reader.
    derived = word == ("pending", "waiting") and task.reason in ("blocked", "cancelled")
    assert derived or word == (task.state, task.reason)
    assert columns.attempt[row] == task.attempt
    assert run.created_at is not None
    entries = sorted(task.timeline, key=lambda entry: entry.at)
    mine = [entry for entry in entries if entry.attempt == task.attempt]

    created_at = run.created_at

    def ms(at: datetime) -> int:
        return round((at - created_at).total_seconds() * 1000)

    sent = ms(mine[0].at)
    assert columns.sent[row] == sent
    for name in ("queued", "started"):
        at = next((ms(entry.at) - sent for entry in mine if entry.state == name), None)
        assert getattr(columns, name)[row] == at
    assert [attempt[0] for attempt in columns.before[row]] == sorted(
        {entry.attempt for entry in entries} - {task.attempt}
    )
    if task.deadline is not None:
        assert columns.deadline[row] == ms(task.deadline) - sent


def test_changed_facts_are_only_those() -> None:
    reading = reading_of(a_run("a  b  c<-a,b", a="completed", b="started"))
    facts = run_facts(*reading, cursor="", changed={1})
    assert facts.columns.task == [1]


def test_joins_are_left_out() -> None:
    wide = "  ".join(f"t{index}" for index in range(130))
    needs = ",".join(f"t{index}" for index in range(130))
    reading = reading_of(a_run(f"{wide}  last<-{needs}"))
    assert any(task.is_join for task in reading[1].plan.tasks)
    structure = run_structure(reading[1].plan)
    assert len(structure.task) == 131
    assert len(structure.upstream[-1]) == 130
    assert structure.level[-1] == 1
    assert why_run(run_facts(*reading, cursor="").excerpt, utc(NOON)) == why_run(
        run_view(*reading), utc(NOON)
    )


def test_queries_answer_with_views_that_survive_json() -> None:
    world = a_run("a  b<-a  c<-b", a="completed", b="error")
    run, _, _ = reading_of(world)
    ports = world.driver.ports
    for query, model in (
        ({"ask": "structure", "run_id": run.id}, RunStructure),
        ({"ask": "facts", "run_id": run.id}, RunFacts),
        ({"ask": "task_run", "run_id": run.id, "task": "b"}, TaskRunFacts),
    ):
        head = json.loads(json.dumps(answer(query, ports).head))
        view = model.model_validate(head)
        assert full_json(view) == head
    assert run_reason(RunFacts.model_validate(head_of(run.id, ports)).excerpt, utc(NOON)).sentence
    missing = answer({"ask": "task_run", "run_id": run.id, "task": "x"}, ports).missing
    assert missing is not None
    assert "no task" in missing.what
    assert answer({"ask": "facts", "run_id": "0" * 26}, ports).missing is not None


def head_of(run_id: str, ports: Any) -> dict[str, Any]:
    return answer({"ask": "facts", "run_id": run_id}, ports).head


def test_task_run_reads_its_output_that_is_stored_apart() -> None:
    world = a_run("a")
    large = {"text": "x" * 5_000}
    world.report("a", "completed", output=large)
    run, _, facts = reading_of(world)
    assert facts[0].output == large
    found = fact_queries.task_run(world.driver.store, run.id, "a")
    assert found.excerpt.tasks[0].output == large

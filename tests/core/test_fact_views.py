"""Structure, facts and excerpts of runs say the same as the view of the whole run."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from pydantic.fields import FieldInfo

from cerebro.core.fact_readings import fact_reading
from cerebro.core.fact_views import run_facts, run_structure, task_facts
from cerebro.core.views import run_view
from cordyna_cli.wording.phases import run_ended_at
from cordyna_cli.wording.status_marks import mark_of
from cordyna_cli.wording.why import why_run, why_task
from cordyna_core.contract.commands import RetryRun
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.facts import RunFacts
from cordyna_core.contract.views.runs import RunView, TaskView
from world.run_readings import reading_of, worlds
from world.scenarios import ReactionWorld, a_run


@given(world=worlds())
@settings(max_examples=300)
def test_excerpt_gives_the_reason_of_the_whole_run(world: ReactionWorld) -> None:
    reading, now = reading_of(world), utc(world.driver.now)
    whole = run_view(*reading)
    assert why_run(run_facts(fact_reading(*reading), cursor="").excerpt, now) == why_run(whole, now)
    for task in whole.tasks:
        facts = task_facts(fact_reading(*reading), reading[1].plan.index_of[task.task])
        assert (facts.excerpt.state, facts.excerpt.tasks[0]) == (whole.state, task)
        assert why_task(facts.excerpt, task, now) == why_task(whole, task, now)
        users = [other.task for other in whole.tasks if task.task in other.upstream]
        assert sorted(facts.downstream) == sorted(users)


@given(world=worlds())
@settings(max_examples=300)
def test_columns_say_what_the_view_says(world: ReactionWorld) -> None:
    reading = reading_of(world)
    whole = run_view(*reading)
    structure, facts = run_structure(reading[1].plan), run_facts(fact_reading(*reading), cursor="")
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
    now = utc(world.driver.now)
    assert (facts.ended_at or now, facts.ended_at is None) == (
        run_ended_at(whole, now),
        not whole.is_final,
    )


@given(world=worlds())
@settings(max_examples=100)
def test_views_of_tasks_leave_no_default_to_pydantic(world: ReactionWorld) -> None:
    """Finding a default that a factory makes takes ten times as long as the rest of a view."""
    reading = reading_of(world)

    def fail(field: FieldInfo, **_: object) -> None:
        raise AssertionError(field)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FieldInfo, "get_default", fail)
        assert run_view(*reading).tasks
        assert run_facts(fact_reading(*reading), cursor="").size


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


def test_columns_of_a_second_attempt_show_the_first() -> None:
    world = a_run("a")
    world.report("a", "started")
    world.driver.now += 5.0
    world.report("a", "error")
    world.driver.now += 60.0
    world.retry("a")
    world.driver.now += 2.0
    world.report("a", "started")
    run, snapshot, stored = reading_of(world)
    facts = run_facts(fact_reading(run, snapshot, stored), cursor="")

    sent = [round((entry.at - run.created_at) * 1000) for entry in stored[0].timeline]
    first, started, failed, second, again = sent
    columns = facts.columns
    assert (columns.attempt, columns.sent, columns.started) == ([2], [second], [again - second])
    ((attempt, *moments, word),) = columns.before[0]
    assert (attempt, moments) == (1, [first, None, started - first, failed - first])
    assert word is not None
    assert tuple(facts.words[word]) == ("error", "failed")


def earlier_word(world: ReactionWorld) -> tuple[str, str | None]:
    """How the columns show the first attempt of the only task, which has a second one."""
    facts = run_facts(fact_reading(*reading_of(world)), cursor="")
    ((_attempt, *_moments, word),) = facts.columns.before[0]
    assert word is not None
    return facts.words[word]


def test_column_of_a_rerun_attempt_shows_its_completion() -> None:
    world = a_run("a", a="completed")
    rerun = RetryRun(run_id=world.run_id, command_id="r", from_=["a"], downstream=True)
    world.publish(rerun, CLIENT)
    assert earlier_word(world) == ("completed", None)


def test_column_of_a_retried_attempt_shows_its_failure() -> None:
    world = a_run("a", declared={"a": {"retries": 1}})
    world.report("a", "error")
    world.after(20.0)
    assert world.fact("a").attempt == 2
    assert earlier_word(world) == ("error", "failed")


@pytest.mark.parametrize("says", ["error", "completed"])
def test_column_of_an_expired_attempt_shows_no_late_end(says: str) -> None:
    world = a_run("a", a="started")
    world.after(1_802.0)
    world.retry()
    world.report("a", says, attempt=1)
    assert earlier_word(world) == ("error", "run_timeout")


def test_column_of_a_healed_attempt_shows_its_completion() -> None:
    world = a_run("a")
    world.after(20.0)
    assert world.state_of("a") == "error ack_timeout"
    world.report("a", "completed")
    run, snapshot, stored = reading_of(world)
    facts = run_facts(fact_reading(run, snapshot, stored), cursor="")

    sent, *_, completed = [entry.at for entry in stored[0].timeline]
    assert facts.columns.ended == [round((completed - sent) * 1000)]
    assert facts.ended_at == utc(completed)


@pytest.mark.parametrize("says", ["nothing", "error", "completed"])
def test_run_ended_when_a_clock_ended_its_last_attempt(says: str) -> None:
    """1. The run clock expires. 2. Five seconds later the server says what became of the body.

    That it was killed ends nothing; that it completed is when it ended.
    """
    world = a_run("a", a="started")
    world.after(1_802.0)
    assert world.state_of("a") == "error run_timeout"
    world.after(5.0)
    if says != "nothing":
        world.report("a", says)
    reading = reading_of(world)
    whole, facts = run_view(*reading), run_facts(fact_reading(*reading), cursor="")

    timeline = reading[2][0].timeline
    ended_at = utc(timeline[3 if says == "completed" else 2].at)
    assert len(timeline) == (3 if says == "nothing" else 4)
    assert (facts.ended_at, run_ended_at(whole, utc(world.driver.now))) == (ended_at, ended_at)


@pytest.mark.parametrize("says", ["error", "completed"])
def test_late_end_of_an_older_attempt_ends_nothing(says: str) -> None:
    """The first attempt is given up; its body ends after the second one has completed the run."""
    world = a_run("a", a="started")
    world.after(1_802.0)
    world.retry()
    world.report("a", "completed", attempt=2)
    ended_at = utc(world.driver.now)
    world.after(5.0)
    world.report("a", says, attempt=1)
    reading = reading_of(world)
    whole, facts = run_view(*reading), run_facts(fact_reading(*reading), cursor="")

    assert reading[2][0].timeline[-1].reason == "late"
    assert (facts.ended_at, run_ended_at(whole, utc(world.driver.now))) == (ended_at, ended_at)

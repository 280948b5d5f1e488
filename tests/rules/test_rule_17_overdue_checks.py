"""Rule 17: an expiry is decided behind the updates that already wait, and judged by then."""

from typing import Any

from cerebro.core.effects import Publish, SendOverdueCheck
from cerebro.core.internal_messages import OverdueCheck, PageTimer
from cerebro.core.run.page_timers import PAGE_CHECK_DELAY_S
from cerebro.handlers.receive import program_of
from cerebro.shell import PERFORM
from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.commands import RunTask
from world.scenarios import ReactionWorld, a_run

CLOCK_S = 10.0


def effects_of(world: ReactionWorld, message: Any) -> list[Any]:
    """Perform the program of a message, without what it sends to itself; return its effects."""
    program = program_of(message)
    assert program is not None
    effects: list[Any] = []
    answer = None
    while True:
        try:
            effect = program.send(answer)
        except StopIteration:
            return effects
        effects.append(effect)
        is_own = isinstance(effect, SendOverdueCheck)
        answer = None if is_own else PERFORM[type(effect)](world.driver.ports, effect)


def the_timer(world: ReactionWorld) -> PageTimer:
    """The first timer, at the moment at which it is due."""
    timer = world.driver.page_timers[0]
    world.now = timer.due
    return timer


def a_check(world: ReactionWorld, **fields: Any) -> OverdueCheck:
    """A check of page 0, asked for and sent now."""
    return OverdueCheck(
        **{
            "run_id": world.run_id,
            "page": 0,
            "asked_at": world.now,
            "sent_at": world.now,
            **fields,
        }
    )


def sent_checks(effects: list[Any]) -> list[OverdueCheck]:
    return [effect.check for effect in effects if isinstance(effect, SendOverdueCheck)]


def test_timer_of_overdue_task_only_asks_for_a_check() -> None:
    world = a_run("a")
    timer = the_timer(world)
    (check,) = sent_checks(effects_of(world, timer))
    assert check == OverdueCheck(world.run_id, 0, timer.due, timer.due, due=timer.due)
    assert world.state_of("a") == "pending dispatched"


def test_timer_of_due_retry_only_asks_for_a_check() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error")
    world.now = world.fact("a").deadline or 0.0
    effects = effects_of(world, PageTimer(world.run_id, 0, world.now))
    assert len(sent_checks(effects)) == 1
    assert world.sent == [("a", 1)]


def test_update_that_waited_before_the_check_prevents_expiry() -> None:
    world = a_run("a")
    update = world.update("a", "started")
    (check,) = sent_checks(effects_of(world, the_timer(world)))
    world.handle(update)
    world.handle(check)
    assert world.state_of("a") == "started"


def test_check_judges_by_when_it_was_asked_for() -> None:
    world = a_run("a")
    world.now += CLOCK_S - 0.5
    check = a_check(world)
    world.now += 0.9
    world.handle(check)
    assert world.state_of("a") == "pending dispatched"


def test_check_that_waited_goes_to_the_end_twice() -> None:
    world = a_run("a")
    timer = the_timer(world)
    check = a_check(world, sent_at=timer.due)
    for turn in (1, 2):
        world.now += 1.1
        (check,) = sent_checks(effects_of(world, check))
        assert (check.turn, check.sent_at, check.asked_at) == (turn, world.now, timer.due)
        assert world.state_of("a") == "pending dispatched"
    world.now += 60
    assert sent_checks(effects_of(world, check)) == []
    assert world.state_of("a") == "error ack_timeout"


def test_turns_and_parts_of_a_check_have_one_id() -> None:
    check = OverdueCheck("R", 3, 17.25, 17.25)
    later = OverdueCheck("R", 3, 17.25, 19.0, turn=2, start=25)
    assert check.id == later.id == "overdue:3:17.250000:0.000"


def test_check_decides_at_most_25_tasks() -> None:
    tasks = " ".join(f"t{n}" for n in range(30))
    world = a_run(f"{tasks} z<-{','.join(tasks.split())}")
    timer = the_timer(world)
    (rest,) = sent_checks(effects_of(world, a_check(world)))
    expired = [name for name in tasks.split() if world.state_of(name) == "error ack_timeout"]
    assert (len(expired), rest.start, rest.asked_at) == (25, 25, timer.due)
    world.handle(rest)
    assert world.state_of("t29") == "error ack_timeout"


def test_check_of_completed_run_decides_nothing() -> None:
    world = a_run("a", a="completed")
    fact = world.fact("a")
    world.now += 100
    world.handle(a_check(world))
    assert world.fact("a") == fact


def test_check_of_cancelled_run_changes_nothing() -> None:
    world = a_run("a  b<-a", a="started")
    world.cancel()
    cancelled = world.fact("a")
    world.now += 2000
    world.handle(a_check(world))
    assert world.fact("a") == cancelled


def test_check_of_unknown_run_does_nothing() -> None:
    world = a_run("a")
    world.handle(OverdueCheck("0" * 26, 0, world.now, world.now))
    assert world.state_of("a") == "pending dispatched"


def test_expiry_is_published_again_by_the_same_check_only() -> None:
    world = a_run("a")
    the_timer(world)
    check = a_check(world)
    world.handle(check)
    published = len(world.published)
    world.handle(check)
    again = world.published[published:]
    assert [getattr(message, "reason", None) for message in again][:1] == ["ack_timeout"]
    world.now += 0.5
    published = len(world.published)
    world.handle(a_check(world))
    assert len(world.published) == published


def test_late_deadlines_share_one_timer() -> None:
    world = a_run("a  b  c<-a,b")
    updates = [world.report(task, "started") for task in ("a", "b")]
    world.driver.lose_page_timers()
    world.now += 2000
    for update in updates:
        world.handle(update)  # again, long after its deadline
    assert [timer.due - world.now for timer in world.driver.page_timers] == [PAGE_CHECK_DELAY_S]


def test_timer_arms_only_what_is_not_yet_due() -> None:
    world = a_run("a  b  c<-a,b", declared={"b": {"ack_timeout_s": 40}})
    timer = the_timer(world)
    effects_of(world, timer)
    assert [pending.due - timer.due for pending in world.driver.page_timers[1:]] == [30]


def test_next_timer_is_at_least_a_second_away() -> None:
    world = a_run("a  b  c<-a,b", declared={"b": {"ack_timeout_s": 11}})
    world.now += 10.5
    effects_of(world, PageTimer(world.run_id, 0, world.now))
    assert [timer.due - world.now for timer in world.driver.page_timers[1:]] == [1.0]


def test_commands_of_a_fan_out_leave_in_tens() -> None:
    tasks = " ".join(f"t{n}<-a" for n in range(25))
    names = ",".join(f"t{n}" for n in range(25))
    world = a_run(f"a {tasks} z<-{names}", a="started")
    groups = [
        [message for message in effect.messages if isinstance(message, RunTask)]
        for effect in effects_of(world, world.update("a", "completed"))
        if isinstance(effect, Publish)
    ]
    assert [len(group) for group in groups if group] == [10, 10, 5]


def test_clock_starts_when_its_command_leaves() -> None:
    tasks = " ".join(f"t{n}<-a" for n in range(12))
    names = ",".join(f"t{n}" for n in range(12))
    world = a_run(f"a {tasks} z<-{names}", a="started")
    program = program_of(world.update("a", "completed"))
    assert program is not None
    effect = program.send(None)
    try:
        while True:
            answer = PERFORM[type(effect)](world.driver.ports, effect)
            world.now += 0.1  # each effect takes a while
            effect = program.send(answer)
    except StopIteration:
        pass
    lateness = [
        message.meta.time.timestamp() - world.fact(message.task).dispatched_at  # type: ignore[union-attr]
        for message in world.commands
        if message.task.startswith("t")
    ]
    assert max(lateness) < 5.0, "less than half of the clock passes before the command leaves"


def test_fan_out_message_is_sent_before_its_part_dispatches() -> None:
    with sizes(Sizes(fan_out=3)):
        tasks = " ".join(f"t{n}<-a" for n in range(5))
        world = a_run(f"a {tasks} z<-{','.join(f't{n}' for n in range(5))}", a="started")
        update = world.update("a", "completed")
        program = program_of(update)
        assert program is not None
        kinds, answer = [], None
        while True:
            try:
                effect = program.send(answer)
            except StopIteration:
                break
            kinds.append(type(effect).__name__)
            answer = PERFORM[type(effect)](world.driver.ports, effect)
    sent = kinds.index("SendFanOut")
    assert kinds[:sent].count("WriteTask") == 1, "only the completion itself"
    assert "Publish" not in kinds[:sent]


def test_check_says_when_its_timer_was_due() -> None:
    world = a_run("a")
    timer = PageTimer(world.run_id, 0, world.now + 3540)
    world.now += 3600
    (check,) = [e.check for e in effects_of(world, timer) if isinstance(e, SendOverdueCheck)]
    assert check.due == timer.due == OverdueCheck.due_in(check.id)
    for other in (timer.id, "an-event", "overdue:0:1795858271.326797"):
        assert OverdueCheck.due_in(other) is None

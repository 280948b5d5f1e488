"""Rule 17: every deadline is guarded, and a slow sweep guards the guardians."""

import pytest

from cerebro.core.effects import FanOut, PageTimer
from cerebro.core.run import page_check
from cerebro.handlers.sweep import sweep
from cerebro.shell import perform
from cerebro.simulator.sizes import Sizes, sizes
from rules.scene import a_run


@pytest.mark.parametrize(("state", "clock_s"), [("", 10), ("queued", 600), ("started", 1800)])
def test_every_clock_is_guarded_and_kept_to_two_seconds(state: str, clock_s: float) -> None:
    scene = a_run("a", a=state)
    assert any(ring.due <= scene.now + clock_s for ring in scene.rings)
    assert not scene.after(clock_s - 0.1).is_at("a").startswith("error")
    assert scene.after(2.1).is_at("a").startswith("error")


def test_the_reason_is_the_clock_that_ran_out() -> None:
    assert a_run("a").after(11).is_at("a") == "error ack_timeout"
    assert a_run("a", a="queued").after(601).is_at("a") == "error start_timeout"
    assert a_run("a", a="started").after(1801).is_at("a") == "error run_timeout"


def test_a_page_has_one_guardian_however_much_is_dispatched() -> None:
    scene = a_run("a  b  c  d<-a,b,c")
    assert len(scene.rings) == 1


def test_a_deadline_before_the_next_ring_is_given_a_ring_of_its_own() -> None:
    scene = a_run("a  b  c<-a,b", declared={"b": {"ack_timeout_s": 600}})
    assert [ring.due - scene.now for ring in scene.rings] == [10]
    scene.comes_to("a", "completed")
    scene.after(11)
    assert any(ring.due - scene.now <= 600 for ring in scene.rings), (
        "the ring went on to what is due next"
    )


def test_an_early_ring_is_sent_again_and_does_nothing_else() -> None:
    scene = a_run("a")
    fact = scene.fact("a")
    scene.hears(PageTimer(scene.run_id, 0, scene.now + 10))
    assert scene.fact("a") == fact
    assert len(scene.rings) == 2


def test_a_stale_ring_finds_nothing_to_do() -> None:
    scene = a_run("a", a="started")
    fact, told = scene.fact("a"), len(scene.told)
    scene.hears(PageTimer(scene.run_id, 0, scene.now - 500))
    assert (scene.fact("a"), len(scene.told)) == (fact, told)


def test_a_ring_that_is_due_at_once_counts_as_none_because_clocks_differ() -> None:
    scene = a_run("a")
    scene.now += 8.5
    scene.says("a", "queued")
    assert len(scene.rings) == 2, (
        "the one in 1.5 s may be spent on another clock before this deadline was there"
    )


def test_a_crash_at_any_effect_of_a_dispatch_is_found() -> None:
    for steps in range(40):
        scene = a_run("a  b<-a", a="started")
        word = scene.word("a", "completed")
        done = scene.crashes(word, after=steps)
        if done < steps:
            return
        scene.after(3700)  # nobody delivers it again: only the guardian is left
        assert scene.task("a").state in ("completed", "error")
        assert scene.run().state == "error" or scene.task("b").attempt, steps
    raise AssertionError("it never came to its end")


def test_the_guardian_does_the_effects_of_what_completed_again() -> None:
    scene = a_run("a  z  b<-a  c<-b,z", a="started")
    word = scene.word("a", "completed")
    scene.crashes_as_soon_as(word, lambda: scene.is_at("a") == "completed")
    assert ("b", 1) not in scene.sent
    assert ("b", 1) in scene.after(11).sent, "z's ring looked at the page"


def test_what_was_dispatched_while_a_heal_was_on_its_way_is_guarded_though_its_ring_came_before_the_heal() -> (
    None
):
    scene = a_run("a  b  c<-a,b", a="started", b="error")
    word = scene.word("a", "completed")
    scene.crashes_as_soon_as(word, lambda: scene.is_at("a") == "completed")
    scene.after(5)
    assert scene.run().state == "error"
    heal = scene.word("b", "completed")
    scene.crashes_as_soon_as(heal, lambda: scene.is_at("b") == "completed")
    scene.hears(word)  # it finds both completed, dispatches c, and is no heal
    assert scene.is_at("c") == "pending dispatched"
    assert scene.run_as_kept().status == "error", "whoever completed b has not come to heal it"
    assert scene.after(12).is_at("c") == "error ack_timeout"


def test_the_sweep_finds_what_lost_its_guardian() -> None:
    scene = a_run("a")
    scene._rings.clear()  # the timer broke its promise
    assert scene.after(3600).is_at("a") == "pending dispatched"
    assert sweep(scene.ports) == 1
    assert scene.after(0).is_at("a") == "error ack_timeout"


def test_the_sweep_leaves_runs_alone_that_are_over() -> None:
    scene = a_run("a", a="completed")
    assert sweep(scene.ports) == 0


def test_sweeping_too_often_changes_nothing() -> None:
    scene = a_run("a  b<-a", a="started")
    before = scene.fact("a")
    for _ in range(3):
        sweep(scene.ports)
        scene.after(0)
    assert scene.fact("a") == before


@pytest.mark.parametrize("steps", range(40))
def test_a_ring_that_completed_a_join_and_crashed_goes_on_from_there_when_it_comes_again(
    steps: int,
) -> None:
    """d is on another page than a, b and c; its dispatch is guarded, or will be when the ring is delivered again."""
    with sizes(Sizes(page=3, awaited=2)):
        scene = a_run("a  b  c  d<-a,b,c", a="completed", b="completed", c="started")
        scene.crashes_as_soon_as(
            scene.word("c", "completed"), lambda: scene.is_at("c") == "completed"
        )
        ring = PageTimer(scene.run_id, 0, scene.now)
        scene.crashes(ring, after=steps)
        scene.hears(ring)
        assert scene.is_at("d") == "pending dispatched"
        assert ("d", 1) in scene.sent
        assert [each for each in scene.rings if each.page == 1 and each.due <= scene.now + 10]


def test_a_join_that_completes_late_and_leads_nowhere_has_the_end_looked_for() -> None:
    """It was the last thing alive in a failing run, and has no clock of its own."""
    with sizes(Sizes(page=3, awaited=2)):
        scene = a_run("a  b  c  d<-a,b,c", a="started", b="error", c="completed")
        scene.crashes_as_soon_as(
            scene.word("a", "completed"), lambda: scene.is_at("a") == "completed"
        )
        perform(
            page_check.on_page_timer(PageTimer(scene.run_id, 0, scene.now), repair=False),
            scene.ports,
        )
        scene._rings.clear()
        assert scene.run().state == "failing", (
            "a join can be completed yet, so the run does not end"
        )
        scene.hears(FanOut(scene.run_id, 0, 0, "ring:0:1.000"))
        assert scene.after(5).run().state == "error"

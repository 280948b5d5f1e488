"""Rule 5: a run ends completed when its target completes, or in error when something failed and nothing goes on."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from cerebro.core.effects import PageTimer, ReadPage, WriteTask
from cerebro.handlers.receive import program_of
from cerebro.shell import PERFORM
from cerebro.simulator.sizes import Sizes, sizes
from cordyna_core.contract.state_updates import RunStateChanged
from rules.scene import a_run


def test_it_completes_when_its_target_does() -> None:
    scene = a_run("a  b<-a", a="completed")
    assert scene.run().state == "running"
    scene.comes_to("b", "completed")
    assert scene.run().state == "completed"
    assert scene.run_states == ["running", "completed"]


def test_it_ends_in_error_seconds_after_the_last_thing_alive_has_failed() -> None:
    scene = a_run("a  b<-a", a="error")
    assert scene.run().state == "failing"
    assert scene.after(4).run().state == "error"
    assert scene.run_states == ["running", "failing", "error"]


def test_it_does_not_end_while_anything_is_live() -> None:
    scene = a_run("a  b  c<-a,b", a="error", b="started").after(600)
    assert scene.run().state == "failing"
    scene.says("b", "completed")
    assert scene.after(4).run().state == "error"


def test_it_does_not_end_while_anything_waits_for_a_retry() -> None:
    scene = a_run("a  b  c<-a,b", declared={"b": {"retries": 1}}, a="error", b="error").after(4.5)
    assert scene.run().state == "failing"


def test_the_end_names_root_causes_and_counts_what_is_blocked() -> None:
    scene = a_run("a  b<-a  c<-b", declared={"a": {"owner": "team-a"}}, a="error").after(4)
    end = [message for message in scene.told if isinstance(message, RunStateChanged)][-1]
    assert [(cause.task, cause.server, cause.owner, cause.reason) for cause in end.root_causes] == [
        ("a", "s", "team-a", "failed")
    ]
    assert end.blocked == 2


def test_a_heal_reopens_it() -> None:
    scene = a_run("a  b<-a", a="error").after(4)
    scene.says("a", "completed")
    assert scene.run().state in ("running", "failing")
    scene.comes_to("b", "completed")
    assert scene.run().state == "completed"


def test_an_end_that_crashed_before_it_was_told_is_told_when_the_ring_comes_again() -> None:
    scene = a_run("a", a="error")
    ring = next(ring for ring in scene.rings if ring.due == scene.now + 3)
    scene.now += 3
    scene.crashes_as_soon_as(ring, lambda: scene.run().state == "error")
    assert scene.run_states[-1] == "failing", "it crashed before it told"
    scene.hears(ring)
    assert scene.run_states[-1] == "error"


def test_a_failure_that_crashed_before_it_was_told_is_told_when_the_word_comes_again() -> None:
    scene = a_run("a  b  c<-a,b", a="started")
    word = scene.word("a", "error")
    scene.crashes_as_soon_as(word, lambda: scene.run_as_kept().failing)
    assert scene.run_states == ["running"], "it crashed before it told"
    scene.hears(word)
    assert scene.run_states == ["running", "failing"]


def test_an_expiry_that_crashed_before_it_was_told_is_told_though_the_run_has_ended_meanwhile() -> (
    None
):
    scene = a_run("a")
    ring, end = scene.rings[0], len(scene.told)
    scene.now = ring.due
    scene.crashes_as_soon_as(ring, lambda: scene.is_at("a") == "error ack_timeout")
    assert len(scene.told) == end, "it crashed before it told"
    scene.hears(PageTimer(ring.run_id, ring.page, ring.due - 1))
    assert scene.run().state == "error"
    scene.hears(ring)
    assert "ack_timeout" in [getattr(message, "reason", None) for message in scene.told[end:]]


def test_an_expiry_whose_answer_was_lost_is_told() -> None:
    scene = a_run("a  b<-a")
    scene.now = scene.rings[0].due
    program = program_of(scene.rings[0])
    assert program is not None
    effect = program.send(None)
    with suppress(StopIteration):
        while True:
            answer = PERFORM[type(effect)](scene.ports, effect)
            if isinstance(effect, WriteTask) and answer is None:
                answer = effect.new
            effect = program.send(answer)
    assert "ack_timeout" in [getattr(message, "reason", None) for message in scene.told]


@pytest.fixture
def _pages_of_one() -> Iterator[None]:
    with sizes(Sizes(page=1)):
        yield


@pytest.mark.usefixtures("_pages_of_one")
def test_the_look_reads_from_the_last_page_to_the_first() -> None:
    scene = a_run("a  b<-a  c<-b", a="error")
    program = program_of(PageTimer(scene.run_id, 0, scene.now))
    assert program is not None
    effect, pages = program.send(None), []
    with suppress(StopIteration):
        while True:
            pages += [effect.page] if isinstance(effect, ReadPage) else []
            effect = program.send(PERFORM[type(effect)](scene.ports, effect))
    assert pages == [0, 2, 1, 0], (
        "its own page first, then all of them: a dispatch in between shows"
    )


@pytest.mark.usefixtures("_pages_of_one")
def test_a_look_from_another_page_ends_a_run_completed_whose_target_has() -> None:
    scene = a_run("a  b  c<-a,b", a="error", b="completed")
    scene.says("a", "completed")
    scene.says("c", "started")
    word = scene.word("c", "completed")
    scene.crashes_as_soon_as(word, lambda: scene.is_at("c") == "completed")
    scene.hears(PageTimer(scene.run_id, 0, scene.now))
    assert scene.run().state == "completed"
    assert scene.run_states[-1] == "completed"

"""Rule 2: every word of a server echoes run, task and attempt; attempts step by one, at dispatch."""

import pytest

from cordyna_core.contract.ids import CEREBRO, CLIENT, server_source
from cordyna_core.errors import Fatal
from rules.scene import a_run


def test_attempts_step_by_one_at_dispatch() -> None:
    scene = a_run("a", declared={"a": {"retries": 2}}, a="error").after(7)
    scene.comes_to("a", "error")
    scene.after(14)
    assert scene.sent == [("a", 1), ("a", 2), ("a", 3)]


def test_a_word_about_an_older_attempt_has_no_effect() -> None:
    scene = a_run("a  b<-a", declared={"a": {"retries": 1}}, a="error").after(7)
    scene.says("a", "started")
    fact = scene.fact("a")
    scene.says("a", "started", attempt=1)
    scene.says("a", "queued", attempt=1)
    assert scene.fact("a") == fact


def test_an_error_of_an_older_attempt_does_not_fail_the_newer() -> None:
    scene = a_run("a", declared={"a": {"retries": 1}}, a="error").after(7)
    scene.says("a", "error", attempt=1)
    assert scene.is_at("a") == "pending dispatched"
    assert scene.task("a").attempt == 2


def test_a_word_about_an_attempt_that_was_never_sent_is_buried() -> None:
    scene = a_run("a  b<-a", a="started")
    with pytest.raises(Fatal, match="attempt 2 of task 'a' was never sent"):
        scene.says("a", "completed", attempt=2)
    assert scene.is_at("a") == "started"


def test_a_word_about_a_task_that_was_never_dispatched_is_buried() -> None:
    scene = a_run("a  b<-a", a="started")
    with pytest.raises(Fatal, match="never sent"):
        scene.says("b", "completed", attempt=1)
    assert scene.is_at("b") == "pending waiting"


@pytest.mark.parametrize("source", [server_source("stranger"), CLIENT, CEREBRO])
def test_nobody_but_its_server_speaks_of_a_task(source: str) -> None:
    scene = a_run("a  b<-a", a="started")
    with pytest.raises(Fatal):
        scene.says("a", "completed", by=source)
    assert scene.is_at("a") == "started"


def test_a_server_speaks_only_of_its_own_tasks_even_in_its_own_name() -> None:
    scene = a_run("a  b<-a", a="started")
    forged = scene.word("a", "completed")
    claimed = forged.message.model_copy(update={"server": "stranger"})
    with pytest.raises(Fatal, match="it runs on 's'"):
        scene.hears(type(forged)(server_source("stranger"), claimed, "event", forged.time))


def test_pending_is_no_word_of_a_server() -> None:
    scene = a_run("a", a="started")
    with pytest.raises(Fatal, match="does not say 'pending'"):
        scene.says("a", "pending")

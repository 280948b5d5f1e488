"""Rule 4: everything not downstream of a failure still runs; what is downstream is blocked, derived and never stored."""

from rules.scene import a_run


def test_what_does_not_need_the_failed_task_still_runs() -> None:
    scene = a_run("a  b  c<-b  d<-a,c", a="error", b="completed")
    assert scene.is_at("c") == "pending dispatched"
    scene.comes_to("c", "completed")
    assert scene.is_at("d") == "pending blocked"


def test_blocked_names_the_root_cause_and_not_what_is_between() -> None:
    scene = a_run("a  b<-a  c<-b", a="error")
    assert scene.is_at("b") == "pending blocked"
    assert scene.is_at("c") == "pending blocked"
    assert scene.task("c").blocked_by == ["a"]


def test_two_failures_are_both_named() -> None:
    scene = a_run("a  b  c<-a,b", a="error", b="error")
    assert scene.task("c").blocked_by == ["a", "b"]


def test_blocked_is_never_stored() -> None:
    scene = a_run("a  b<-a  c<-b", a="error")
    assert list(scene.store.read_page(scene.run_id, 0)) == [0]


def test_what_heals_the_cause_heals_what_it_blocked() -> None:
    scene = a_run("a  b<-a  c<-b", a="error")
    scene.says("a", "completed")
    assert scene.is_at("b") == "pending dispatched"
    assert scene.is_at("c") == "pending waiting"


def test_the_run_is_failing_while_the_rest_runs() -> None:
    scene = a_run("a  b  c<-a,b", a="error", b="started")
    assert scene.run().state == "failing"
    assert scene.after(60).run().state == "failing"

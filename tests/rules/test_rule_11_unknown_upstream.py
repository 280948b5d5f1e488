"""Rule 11: an upstream that nobody declares is accepted and *unresolved*; invoking through it is refused."""

from rules.scene import a_graph


def test_the_declaration_is_accepted_because_teams_deploy_in_any_order() -> None:
    scene = a_graph("a<-missing")
    assert scene.problems == []
    assert scene.store.read_graph().unresolved == {"missing": ("a",)}


def test_invoking_through_it_is_refused_with_what_is_missing_and_who_needs_it() -> None:
    scene = a_graph("a<-missing,gone  b<-a")
    scene.invokes("b")
    assert scene.problems == ["unresolved_upstream", "unresolved_upstream"]
    assert scene.sent == []


def test_what_does_not_need_it_can_be_invoked() -> None:
    scene = a_graph("a<-missing  b")
    scene.invokes("b")
    assert scene.sent == [("b", 1)]


def test_it_is_resolved_as_soon_as_somebody_declares_it() -> None:
    scene = a_graph("a<-missing")
    scene.declares("t", "missing")
    scene.invokes("a")
    assert scene.sent == [("missing", 1)]


def test_a_task_that_nobody_declares_is_refused() -> None:
    scene = a_graph("a")
    scene.invokes("b")
    assert scene.problems == ["unknown_task"]

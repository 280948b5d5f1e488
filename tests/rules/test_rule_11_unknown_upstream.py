"""Rule 11: an unknown upstream is accepted, but not invoked (docs/rules.md, rule 11)."""

from world.scenarios import a_world


def test_declaration_with_unknown_upstream_is_accepted() -> None:
    world = a_world("a<-missing")
    assert world.problems == []
    assert world.store.read_graph().unresolved == {"missing": ("a",)}


def test_invocation_through_unknown_upstream_is_refused() -> None:
    world = a_world("a<-missing,gone  b<-a")
    world.invoke("b")
    assert world.problems == ["unresolved_upstream", "unresolved_upstream"]
    assert world.sent == []


def test_invocation_without_unknown_upstream_runs() -> None:
    world = a_world("a<-missing  b")
    world.invoke("b")
    assert world.sent == [("b", 1)]


def test_unknown_upstream_declared_later_is_resolved() -> None:
    world = a_world("a<-missing")
    world.declare("t", "missing")
    world.invoke("a")
    assert world.sent == [("missing", 1)]


def test_invocation_of_undeclared_task_is_refused() -> None:
    world = a_world("a")
    world.invoke("b")
    assert world.problems == ["unknown_task"]

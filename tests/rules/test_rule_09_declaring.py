"""Rule 9: declaring is atomic and idempotent; the last good graph stays; a lower revision is only a sign of life."""

from cerebro.core.declaration.handlers import server_declared
from cerebro.shell import PERFORM
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.time import utc
from rules.scene import a_graph, declaration


def test_an_accepted_declaration_makes_a_new_generation() -> None:
    scene = a_graph("a")
    scene.declares("t", "b<-a")
    assert scene.store.read_graph().generation == 2
    assert set(scene.store.read_graph()) == {"a", "b"}


def test_the_same_content_is_a_sign_of_life() -> None:
    scene = a_graph("a")
    scene.now += 100
    scene.declares("s", "a")
    assert scene.store.read_graph().generation == 1
    assert scene.store.servers()[0].at == scene.now


def test_a_declaration_replaces_the_servers_previous_one() -> None:
    scene = a_graph("a  b<-a")
    scene.declares("s", "b", revision=1)
    assert set(scene.store.read_graph()) == {"b"}


def test_a_lower_revision_does_not_flip_the_graph_back() -> None:
    scene = a_graph("a")
    scene.declares("s", "a  b", revision=2)
    scene.declares("s", "a", revision=1)
    assert set(scene.store.read_graph()) == {"a", "b"}


def test_a_cycle_is_refused_whole_and_the_last_good_graph_stays() -> None:
    scene = a_graph("a  b<-a")
    scene.declares("t", "x  c<-b")
    scene.declares("s", "a<-c  b<-a", revision=1)
    assert scene.problems == ["cycle"]
    assert scene.store.read_graph()["a"].task.upstream_names == ()


def test_every_problem_is_told_at_once() -> None:
    scene = a_graph("a  b")
    scene.declares("t", "a  b  c")
    assert scene.problems == ["owned_by_another", "owned_by_another"]
    assert "c" not in scene.store.read_graph()


def test_of_two_declarations_that_close_a_cycle_together_only_one_wins() -> None:
    scene = a_graph("")
    first, second = (
        Envelope(server_source(server), declaration(server, tasks), server, utc(scene.now))
        for server, tasks in (("p", "x<-y"), ("q", "y<-x"))
    )
    program = server_declared(first)
    effect = program.send(None)
    while type(effect).__name__ != "WriteHead":
        effect = program.send(PERFORM[type(effect)](scene.ports, effect))
    scene.hears(second)
    try:
        while True:
            effect = program.send(PERFORM[type(effect)](scene.ports, effect))
    except StopIteration:
        pass
    assert set(scene.store.read_graph()) == {"y"}
    assert scene.problems == ["cycle"]

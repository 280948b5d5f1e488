"""Contract tests of Store: declarations, servers and ticks."""

from abc import ABC, abstractmethod

from cerebro.core.graph.versions import Head, content_of, version_of
from cerebro.ports import ServerSeen, Store
from cerebro.testing.examples import NOW, a_declaration, accept
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.incidents import GraphChanged


class GraphContract(ABC):
    """The contract tests of Store that are about the graph."""

    @abstractmethod
    def two_stores(self) -> tuple[Store, Store]:
        """Two stores, as two processes have them, on the same data, which is empty."""

    def test_new_store_has_no_declarations(self) -> None:
        store, _ = self.two_stores()
        assert (store.read_graph().head, list(store.read_graph())) == (Head(), [])

    def test_declaration_counts_once_head_names_it(self) -> None:
        one, other = self.two_stores()
        declared = a_declaration(
            "server-a",
            "x",
            "y",
            cron="0 6 * * 1-5",
            timezone="Europe/Berlin",
            retries=2,
            owner="Zoë",
        )
        one.write_declaration(version_of(declared), declared)
        assert "x" not in other.read_graph()
        assert accept(one, declared)
        for store in (one, other):
            graph = store.read_graph()
            assert graph.generation == 1
            assert content_of(graph.declarations["server-a"]) == content_of(declared)
            assert graph.head == Head(1, {"server-a": version_of(declared)})

    def test_graph_change_is_kept_until_it_is_published(self) -> None:
        one, other = self.two_stores()
        names = [f"{number:0128}" for number in range(1000)]
        change, later = (
            GraphChanged(
                meta=meta_at(NOW, "id"),
                server="s",
                generation=generation,
                **dict.fromkeys(("added", "removed", "changed", "affected"), names[:count]),
            )
            for generation, count in ((1, 1000), (2, 1))
        )
        one.write_graph_change("s", "v", change)
        assert other.read_graph_change("s", "v") == change
        assert other.read_graph_change("s", "") is None
        assert other.read_graph_change("t", "v") is None
        other.write_graph_change("s", "v", later)
        assert one.read_graph_change("s", "v") == later
        for _ in range(2):
            one.write_graph_change("s", "v", None)
            assert other.read_graph_change("s", "v") is None

    def test_concurrent_heads_one_wins(self) -> None:
        one, other = self.two_stores()
        seen = one.read_graph().head
        assert accept(one, a_declaration("server-a", "x"), seen=seen)
        assert not accept(other, a_declaration("server-b", "y"), seen=seen)
        assert list(other.read_graph()) == ["x"]

    def test_concurrent_later_heads_one_wins(self) -> None:
        one, other = self.two_stores()
        a = a_declaration("server-a", "x")
        assert accept(one, a)
        seen = one.read_graph().head
        assert accept(other, a, a_declaration("server-b", "y"), seen=seen)
        assert not accept(one, a, a_declaration("server-c", "z"), seen=seen)
        assert list(one.read_graph()) == ["x", "y"]
        assert one.read_graph().generation == 2

    def test_head_names_the_servers_of_the_graph(self) -> None:
        one, other = self.two_stores()
        a = a_declaration("server-a", "x")
        accept(one, a, a_declaration("server-b", "y"))
        assert list(other.read_graph()) == ["x", "y"]
        accept(one, a, a_declaration("server-b", "y2"))
        assert list(other.read_graph()) == ["x", "y2"]
        accept(other, a)
        assert list(one.read_graph()) == ["x"]
        accept(one)
        assert list(other.read_graph()) == []

    def test_unchanged_declaration_is_not_read_again(self) -> None:
        one, other = self.two_stores()
        a = a_declaration("server-a", "x")
        accept(one, a)
        before = other.read_graph().declarations["server-a"]
        accept(one, a, a_declaration("server-b", "y"))
        assert list(other.read_graph()) == ["x", "y"]
        assert other.read_graph().declarations["server-a"] is before

    def test_declaration_accepted_before_is_accepted_again(self) -> None:
        one, other = self.two_stores()
        old, new = a_declaration("server-a", "x"), a_declaration("server-a", "y")
        for declared, tasks in ((old, ["x"]), (new, ["y"]), (old, ["x"])):
            assert accept(one, declared)
            assert list(other.read_graph()) == tasks

    def test_servers_with_common_name_prefix_are_distinct(self) -> None:
        one, other = self.two_stores()
        accept(
            one,
            a_declaration("server", "x"),
            a_declaration("server-1", "y"),
            a_declaration("server-10", "z"),
        )
        assert {
            server: [task.name for task in declaration.tasks]
            for server, declaration in other.read_graph().declarations.items()
        } == {
            "server": ["x"],
            "server-1": ["y"],
            "server-10": ["z"],
        }

    def test_declaration_of_maximum_size_is_kept_whole(self) -> None:
        one, other = self.two_stores()
        # Descriptions that compress badly, in letters of two bytes.
        tasks = [
            {
                "name": f"task-{number}",
                "description": "".join(chr(0xC0 + (number * k * k) % 0x100) for k in range(400)),
            }
            for number in range(1000)
        ]
        declared = a_declaration("server-a").model_validate({"server": "server-a", "tasks": tasks})
        assert len(content_of(declared).encode()) > 800_000
        assert accept(one, declared)
        assert content_of(other.read_graph().declarations["server-a"]) == content_of(declared)

    def test_graph_of_130_servers_is_read_whole(self) -> None:
        one, other = self.two_stores()
        accept(one, *(a_declaration(f"server-{number}", f"task-{number}") for number in range(130)))
        assert len(other.read_graph()) == 130

    def test_server_state_is_the_last_reported(self) -> None:
        one, other = self.two_stores()
        one.note_server("server-a", "ready", NOW)
        one.note_server("server-b", None, NOW)
        other.note_server("server-a", "draining", NOW + 5)
        assert _seen(one) == [
            ServerSeen("server-a", "draining", NOW + 5),
            ServerSeen("server-b", None, NOW),
        ]

    def test_server_state_soon_after_a_sign_of_life_is_stored(self) -> None:
        one, _ = self.two_stores()
        one.note_server("server-a", "ready", NOW)
        one.note_server("server-a", None, NOW + 1)
        one.note_server("server-a", "draining", NOW + 2)
        assert _seen(one) == [ServerSeen("server-a", "draining", NOW + 2)]

    def test_sign_of_life_keeps_server_state(self) -> None:
        one, other = self.two_stores()
        one.note_server("server-a", "ready", NOW)
        other.note_server("server-a", None, NOW + 61)
        assert _seen(one) == [ServerSeen("server-a", "ready", NOW + 61)]

    def test_missed_ack_keeps_server_state(self) -> None:
        one, other = self.two_stores()
        one.note_server("server-a", "ready", NOW)
        other.note_missed_ack("server-a", NOW + 5)
        other.note_missed_ack("server-b", NOW + 5)
        assert _seen(one) == [
            ServerSeen("server-a", "ready", NOW, NOW + 5),
            ServerSeen("server-b", None, 0.0, NOW + 5),
        ]

    def test_sign_of_life_after_missed_ack_is_stored(self) -> None:
        store, _ = self.two_stores()
        store.note_server("server-a", "ready", NOW)
        store.note_missed_ack("server-a", NOW + 5)
        store.note_server("server-a", None, NOW + 6)
        assert _seen(store) == [ServerSeen("server-a", "ready", NOW + 6, NOW + 5)]

    def test_last_sign_of_life_never_moves_back(self) -> None:
        one, other = self.two_stores()
        one.note_server("server-a", None, NOW + 5)
        other.note_server("server-a", "ready", NOW)
        other.note_server("server-a", None, NOW)
        assert _seen(one) == [ServerSeen("server-a", "ready", NOW + 5)]

    def test_task_that_never_fired_has_no_tick(self) -> None:
        store, _ = self.two_stores()
        assert store.read_tick("x") is None

    def test_latest_tick_stays(self) -> None:
        one, other = self.two_stores()
        one.write_tick("x", NOW)
        assert other.read_tick("x") == NOW
        other.write_tick("x", NOW + 60)
        one.write_tick("x", NOW)
        assert (one.read_tick("x"), one.read_tick("y")) == (NOW + 60, None)


def _seen(store: Store) -> list[ServerSeen]:
    return sorted(store.servers(), key=lambda server: server.server)

"""Contract tests of Store: facts, outputs and page timers."""

from abc import ABC, abstractmethod
from dataclasses import replace

from cerebro.core.model.plan import PAGE_SIZE
from cerebro.core.model.task_run import Rank
from cerebro.ports import Store
from cerebro.testing.examples import NOW, OTHER, RUN, a_fact, a_full_fact


class TaskContract(ABC):
    """The contract tests of Store that are about task runs."""

    @abstractmethod
    def two_stores(self) -> tuple[Store, Store]:
        """Two stores, as two processes have them, on the same data, which is empty."""

    def test_unwritten_task_run_has_no_fact(self) -> None:
        store, _ = self.two_stores()
        assert store.read_task(RUN, 0) is None
        assert store.read_recent_task(RUN, 0) is None
        assert store.read_tasks(RUN, [0, 1]) == {}
        assert store.read_page(RUN, 0) == {}

    def test_fact_is_read_as_written(self) -> None:
        one, other = self.two_stores()
        for index, fact in enumerate(
            (a_fact(), a_full_fact(), a_fact(Rank.CANCELLED, deadline=None, output=False))
        ):
            assert one.write_task(RUN, index, fact, None) is None
            assert other.read_task(RUN, index) == fact
            assert other.read_recent_task(RUN, index) in (None, fact)
            assert other.read_tasks(RUN, [index]) == {index: fact}
            assert other.read_page(RUN, 0)[index] == fact

    def test_concurrent_first_writes_one_wins(self) -> None:
        one, other = self.two_stores()
        first, second = a_fact(cause="first"), a_fact(cause="second")
        assert one.write_task(RUN, 7, first, None) is None
        assert other.write_task(RUN, 7, second, None) == first
        assert one.read_task(RUN, 7) == first

    def test_concurrent_updates_of_one_fact_one_wins(self) -> None:
        one, other = self.two_stores()
        seen = a_fact()
        one.write_task(RUN, 7, seen, None)
        started, expired = (
            a_fact(Rank.STARTED, rev=2),
            a_fact(Rank.ERROR, rev=2, reason="ack_timeout"),
        )
        assert other.write_task(RUN, 7, expired, seen) is None
        assert one.write_task(RUN, 7, started, seen) == expired
        assert one.write_task(RUN, 7, a_fact(Rank.STARTED, rev=3), expired) is None
        assert other.read_task(RUN, 7) == a_fact(Rank.STARTED, rev=3)

    def test_write_from_outdated_fact_is_refused(self) -> None:
        one, other = self.two_stores()
        first, second, third = (a_fact(rev=rev) for rev in (1, 2, 3))
        one.write_task(RUN, 7, first, None)
        one.write_task(RUN, 7, second, first)
        one.write_task(RUN, 7, third, second)
        assert other.write_task(RUN, 7, second, first) == third
        assert other.write_task(RUN, 7, first, None) == third
        assert one.read_task(RUN, 7) == third

    def test_write_repeated_after_lost_answer_returns_own_fact(self) -> None:
        store, _ = self.two_stores()
        fact = a_full_fact()
        assert store.write_task(RUN, 7, fact, None) is None
        assert store.write_task(RUN, 7, fact, None) == fact

    def test_write_from_outdated_completed_fact_is_refused(self) -> None:
        one, other = self.two_stores()
        completed = a_fact(Rank.COMPLETED, deadline=None, output="x")
        one.write_task(RUN, 7, completed, None)
        known = other.read_task(RUN, 7)
        assert known == completed
        with_late_fact, another = (
            a_fact(Rank.COMPLETED, deadline=None, output="x", rev=2, cause=cause)
            for cause in ("first", "second")
        )
        assert one.write_task(RUN, 7, with_late_fact, completed) is None
        assert other.write_task(RUN, 7, another, known) == with_late_fact
        assert other.read_page(RUN, 0) == {7: with_late_fact}
        assert other.read_task(RUN, 7) == with_late_fact

    def test_read_tasks_returns_only_requested_indexes(self) -> None:
        one, other = self.two_stores()
        for index in (0, 2, PAGE_SIZE, 3 * PAGE_SIZE + 1):
            one.write_task(RUN, index, a_fact(attempt=index + 1), None)
        assert other.read_tasks(RUN, []) == {}
        facts = other.read_tasks(RUN, [0, 1, PAGE_SIZE, PAGE_SIZE, 3 * PAGE_SIZE + 1])
        assert {index: fact.attempt for index, fact in facts.items()} == {
            0: 1,
            PAGE_SIZE: PAGE_SIZE + 1,
            3 * PAGE_SIZE + 1: 3 * PAGE_SIZE + 2,
        }

    def test_facts_beyond_one_request_are_all_read(self) -> None:
        one, other = self.two_stores()
        for index in range(105):
            one.write_task(RUN, index, a_fact(), None)
        assert sorted(other.read_tasks(RUN, range(105))) == list(range(105))

    def test_page_is_read_from_last_fact_to_first(self) -> None:
        one, other = self.two_stores()
        page = range(10 * PAGE_SIZE, 11 * PAGE_SIZE)
        for index in (page[0], page[9], page[10], page[100], page[-1], page[0] - 1, page[-1] + 1):
            one.write_task(RUN, index, a_fact(), None)
        one.write_output(RUN, page[3], "ref-1", "apart")
        one.write_page_timer(RUN, 10, NOW + 10, NOW)
        assert list(other.read_page(RUN, 10)) == [page[-1], page[100], page[10], page[9], page[0]]

    def test_page_beyond_one_answer_is_read_whole(self) -> None:
        one, other = self.two_stores()
        for index in range(90):
            one.write_task(RUN, index, a_fact(output="x" * 15_000), None)
        assert list(other.read_page(RUN, 0)) == list(reversed(range(90)))

    def test_runs_do_not_share_facts(self) -> None:
        one, other = self.two_stores()
        one.write_task(RUN, 0, a_fact(), None)
        one.write_output(RUN, 0, "ref-1", "apart")
        one.write_page_timer(RUN, 0, NOW + 10, NOW)
        assert (
            other.read_task(OTHER, 0),
            other.read_outputs(OTHER, {0: "ref-1"}),
            one.has_page_timer(OTHER, 0, NOW, NOW + 20),
        ) == (None, {}, False)

    def test_output_is_read_as_written(self) -> None:
        one, other = self.two_stores()
        output = {"text": "ü" * 8_000, "numbers": [2**60, 2.5, None, True]}
        one.write_output(RUN, 3, "ref-1", output)
        assert other.read_outputs(RUN, {2: "ref-1", 3: "ref-1"}) == {3: output}
        assert other.read_outputs(RUN, {}) == {}

    def test_two_outputs_of_one_task_are_kept_side_by_side(self) -> None:
        one, other = self.two_stores()
        one.write_output(RUN, 3, "ref-2", "second")
        other.write_output(RUN, 3, "ref-1", "first, late")
        other.write_output(RUN, 3, "ref-2", "second")
        assert one.read_outputs(RUN, {3: "ref-2"}) == {3: "second"}
        assert other.read_outputs(RUN, {3: "ref-1"}) == {3: "first, late"}
        assert other.read_outputs(RUN, {3: "ref-3"}) == {}

    def test_fresh_read_sees_a_completed_fact_that_was_replaced(self) -> None:
        one, other = self.two_stores()
        completed = a_fact(rank=Rank.COMPLETED, deadline=None)
        one.write_task(RUN, 7, completed, None)
        assert other.read_task(RUN, 7) == completed
        waiting = replace(completed, attempt=2, rank=Rank.WAITING, rev=completed.rev + 1)
        assert one.write_task(RUN, 7, waiting, completed) is None
        assert other.read_task(RUN, 7, fresh=True) == waiting
        assert other.read_tasks(RUN, [6, 7], fresh=True) == {7: waiting}

    def test_outputs_beyond_one_request_are_all_read(self) -> None:
        one, other = self.two_stores()
        for index in range(105):
            one.write_output(RUN, index, f"ref-{index}", index)
        assert other.read_outputs(RUN, {index: f"ref-{index}" for index in range(105)}) == {
            index: index for index in range(105)
        }

    def test_page_timer_in_time_guards_page(self) -> None:
        store, _ = self.two_stores()
        assert not store.has_page_timer(RUN, 0, NOW, NOW + 10)
        store.write_page_timer(RUN, 0, NOW + 10, NOW + 2)
        assert store.has_page_timer(RUN, 0, NOW, NOW + 10)
        assert store.has_page_timer(RUN, 0, NOW + 9.9, NOW + 1_000)
        assert not store.has_page_timer(RUN, 0, NOW + 10, NOW + 1_000)
        assert not store.has_page_timer(RUN, 0, NOW, NOW + 9.9)
        assert not store.has_page_timer(RUN, 1, NOW, NOW + 10)

    def test_page_timer_that_is_earlier_guards_page(self) -> None:
        store, _ = self.two_stores()
        store.write_page_timer(RUN, 0, NOW + 100, NOW + 2)
        store.write_page_timer(RUN, 0, NOW + 10, NOW + 2)
        assert store.has_page_timer(RUN, 0, NOW + 2, NOW + 10)

    def test_later_page_timer_does_not_replace_pending_one(self) -> None:
        store, _ = self.two_stores()
        store.write_page_timer(RUN, 0, NOW + 10, NOW + 2)
        store.write_page_timer(RUN, 0, NOW + 100, NOW + 2)
        assert store.has_page_timer(RUN, 0, NOW + 2, NOW + 10)

    def test_later_page_timer_replaces_past_one(self) -> None:
        store, _ = self.two_stores()
        store.write_page_timer(RUN, 0, NOW + 10, NOW + 2)
        store.write_page_timer(RUN, 0, NOW + 100, NOW + 12)
        assert store.has_page_timer(RUN, 0, NOW + 12, NOW + 100)

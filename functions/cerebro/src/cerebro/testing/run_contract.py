"""Contract tests of Store: plans, keys, runs and cached results."""

from abc import ABC, abstractmethod
from dataclasses import replace
from itertools import pairwise

from cerebro.core.model.plan import CachedResult, Plan, PlannedTask
from cerebro.ports import Store
from cerebro.testing.examples import NOW, OTHER, RUN, a_plan, a_run, invoked


class RunContract(ABC):
    """The contract tests of Store that are about runs as a whole."""

    @abstractmethod
    def two_stores(self) -> tuple[Store, Store]:
        """Two stores, as two processes have them, on the same data, which is empty."""

    def test_unwritten_run_is_unknown(self) -> None:
        store, _ = self.two_stores()
        assert (
            store.read_run(RUN) or store.read_recent_run(RUN),
            store.read_run_snapshot(RUN),
            store.active_runs(),
            store.runs(10),
        ) == (None, None, [], [])

    def test_run_is_read_as_written(self) -> None:
        one, other = self.two_stores()
        run = a_run(
            params={"day": "2026-11-05", "nested": {"ü": [1, None, 2.5]}},
            key="key-1",
            max_age_s=60,
            labels={"a": "b"},
            scheduled_at=NOW - 1 / 3,
            source="cordyna.client",
            failing=True,
            rev=2,
            version=3,
            commands=("c-1", "c-2"),
        )
        invoked(one, run)
        assert other.read_run(RUN) == run
        assert other.read_recent_run(RUN) in (None, run)

    def test_concurrent_creations_of_one_run_one_wins(self) -> None:
        one, other = self.two_stores()
        first = invoked(one, a_run(cause="first"))
        assert other.write_run(a_run(cause="second", created_at=NOW + 1), None) == first
        assert one.read_run(RUN) == first
        assert [run.cause for run in one.runs(10)] == ["first"]

    def test_concurrent_updates_of_one_run_one_wins(self) -> None:
        one, other = self.two_stores()
        seen = invoked(one, a_run())
        failing, over = (
            replace(seen, failing=True, version=2),
            replace(seen, status="completed", version=2),
        )
        assert one.write_run(failing, seen) is None
        assert other.write_run(over, seen) == failing
        assert other.write_run(replace(over, version=3), failing) is None
        assert one.read_run(RUN) == replace(over, version=3)

    def test_existing_run_is_not_created_again(self) -> None:
        one, other = self.two_stores()
        over = replace(invoked(one, a_run()), status="error", version=2)
        assert one.write_run(over, a_run()) is None
        assert other.write_run(a_run(), None) == over

    def test_run_snapshot_has_plan_and_immutable_fields(self) -> None:
        one, other = self.two_stores()
        run = invoked(one, a_run(params={"day": "today"}))
        assert one.write_run(replace(run, status="completed", version=2), run) is None
        for store in (one, other, other):
            snapshot = store.read_run_snapshot(RUN)
            assert snapshot is not None
            assert (
                snapshot.plan,
                snapshot.run.params,
                snapshot.run.plan_id,
                snapshot.run.created_at,
            ) == (
                a_plan(),
                {"day": "today"},
                a_plan().id,
                NOW,
            )

    def test_running_runs_are_active(self) -> None:
        one, other = self.two_stores()
        for number in range(9):
            invoked(one, a_run(f"run-{number}", created_at=NOW + number))
        assert sorted(other.active_runs()) == [f"run-{number}" for number in range(9)]

    def test_reopened_run_is_active(self) -> None:
        one, other = self.two_stores()
        run = invoked(one, a_run())
        over = replace(run, status="error", version=2)
        healed = replace(run, rev=1, version=3)
        assert one.write_run(over, run) is None
        assert other.write_run(healed, over) is None
        assert (one.active_runs(), other.active_runs()) == ([RUN], [RUN])

    def test_outdated_end_of_run_leaves_it_active(self) -> None:
        one, other = self.two_stores()
        run = invoked(one, a_run())
        over, healed = replace(run, status="error", version=2), replace(run, rev=1, version=3)
        one.write_run(over, run)
        other.write_run(healed, over)
        assert one.write_run(replace(over, cause="late"), run) == healed
        assert other.active_runs() == [RUN]

    def test_runs_are_listed_newest_first(self) -> None:
        one, other = self.two_stores()
        days = (0, 40, 3, 31, 1)
        for day in days:
            run = invoked(one, a_run(f"run-{day:02}", created_at=NOW - day * 86_400))
            if day == 3:
                assert one.write_run(replace(run, status="completed", version=2), run) is None
        assert [run.id for run in other.runs(10)] == [f"run-{day:02}" for day in sorted(days)]
        assert [run.id for run in other.runs(2)] == ["run-00", "run-01"]
        assert other.runs(3)[2].status == "completed"

    def test_runs_before_a_moment_are_listed_newest_first(self) -> None:
        one, other = self.two_stores()
        for day in (0, 40, 3, 31, 1):
            invoked(one, a_run(f"run-{day:02}", created_at=NOW - day * 86_400))
        before = NOW - 3 * 86_400
        assert [run.id for run in other.runs(10, before=before)] == ["run-31", "run-40"]
        assert [run.id for run in other.runs(1, before=before + 0.001)] == ["run-03"]
        assert other.runs(10, before=NOW - 41 * 86_400) == []

    def test_runs_beyond_one_request_are_all_listed(self) -> None:
        one, other = self.two_stores()
        for number in range(105):
            invoked(one, a_run(f"run-{number:03}", created_at=NOW + number))
        listed = other.runs(200)
        assert len(listed) == 105
        assert all(newer.created_at > older.created_at for newer, older in pairwise(listed))

    def test_plan_written_again_is_same_plan(self) -> None:
        one, other = self.two_stores()
        invoked(one, a_run())
        other.write_plan(a_plan())
        invoked(other, a_run(OTHER))
        assert _plan_in(one, OTHER) == a_plan()

    def test_every_field_of_planned_task_is_kept(self) -> None:
        full = PlannedTask(
            name="n" * 128,
            server="s" * 128,
            upstream=(0, 1),
            awaits=(1,),
            params=("day", "größe"),
            retries=20,
            ack_timeout_s=1,
            start_timeout_s=2,
            run_timeout_s=3,
            owner="Zoë & co",
            version="v",
            kept=True,
            reuses=CachedResult(RUN, 3, NOW, {"ü": 1}, fingerprint="made from"),
        )
        join = PlannedTask(name="join", server="", awaits=(0,))
        self._check_kept(Plan((PlannedTask(name="root", server="server-a"), join, full)))

    def test_plan_of_5000_tasks_is_kept_whole(self) -> None:
        self._check_kept(a_plan(5_000))

    def test_plan_with_fan_in_of_thousands_is_kept_whole(self) -> None:
        roots = [
            PlannedTask(name=f"{number}-{'x' * 100}", server="server-a") for number in range(4_000)
        ]
        everything = tuple(range(4_000))
        self._check_kept(
            Plan(
                (
                    *roots,
                    PlannedTask(
                        name="sink", server="server-a", upstream=everything, awaits=everything
                    ),
                )
            )
        )

    def test_task_without_result_has_no_cached_result(self) -> None:
        store, _ = self.two_stores()
        assert store.read_cached_result("x", "made from") is None

    def test_cached_result_dispatched_last_stays(self) -> None:
        one, other = self.two_stores()
        first, second = (
            CachedResult(RUN, 3, NOW, {"ü": [1, None]}),
            CachedResult(OTHER, 4, NOW + 1 / 3, None, "ref-1", "made from"),
        )
        one.write_cached_result("x", "made from", first)
        assert other.read_cached_result("x", "made from") == first
        other.write_cached_result("x", "made from", second)
        one.write_cached_result("x", "made from", first)
        assert one.read_cached_result("x", "made from") == second

    def test_cached_results_are_kept_by_task_and_fingerprint(self) -> None:
        one, other = self.two_stores()
        one.write_cached_result("x", "made from", CachedResult(RUN, 3, NOW))
        assert (
            other.read_cached_result("y", "made from"),
            other.read_cached_result("x", "made from something else"),
        ) == (None, None)

    def _check_kept(self, plan: Plan) -> None:
        one, other = self.two_stores()
        one.write_plan(plan)
        assert one.write_run(a_run(plan_id=plan.id), None) is None
        assert _plan_in(other, RUN) == plan


def _plan_in(store: Store, run_id: str) -> Plan:
    snapshot = store.read_run_snapshot(run_id)
    assert snapshot is not None
    return snapshot.plan

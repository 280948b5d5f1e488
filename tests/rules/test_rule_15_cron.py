"""Rule 15: crons, overlap and missed ticks (docs/rules.md, rule 15)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cerebro.core.cron.schedule import due_ticks, next_after
from cerebro.core.internal_messages import Tick
from cordyna_core.contract.commands import RunTask
from world.scenarios import ReactionWorld, a_world


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def with_cron(**more: Any) -> ReactionWorld:
    world = a_world("a", a={"cron": "0 6 * * *", **more})
    world.now = at("2026-03-02T06:00")
    return world


def ticks(world: ReactionWorld, nominal: str) -> None:
    world.handle(Tick("a", at(nominal)))


def test_tick_invokes_task_with_nominal_time() -> None:
    world = with_cron()
    world.now += 40
    ticks(world, "2026-03-02T06:00")
    command = world.published[-1]
    assert isinstance(command, RunTask)
    assert command.scheduled_at == datetime(2026, 3, 2, 6, tzinfo=UTC)


def test_tick_delivered_twice_fires_once() -> None:
    world = with_cron()
    ticks(world, "2026-03-02T06:00")
    ticks(world, "2026-03-02T06:00")
    assert len(world.store.runs(10)) == 1
    assert set(world.sent) == {("a", 1)}
    assert world.problems == []


def test_tick_five_minutes_late_fires() -> None:
    world = with_cron()
    world.now += 300
    ticks(world, "2026-03-02T06:00")
    assert world.sent == [("a", 1)]


def test_tick_later_than_five_minutes_is_reported_missed() -> None:
    world = with_cron()
    world.now += 301
    ticks(world, "2026-03-02T06:00")
    assert world.problems == ["missed_tick"]
    assert world.sent == []


def test_due_ticks_after_sleep_fire_last_and_miss_rest() -> None:
    slept = due_ticks(
        "*/10 * * * *", "UTC", after=at("2026-03-02T06:00"), now=at("2026-03-02T06:41")
    )
    assert slept.fires == at("2026-03-02T06:40")
    assert [tick - at("2026-03-02T06:00") for tick in slept.missed] == [600, 1200, 1800]


def test_tick_during_previous_run_is_skipped_and_reported() -> None:
    world = with_cron(run_timeout_s=7 * 24 * 3600)
    ticks(world, "2026-03-02T06:00")
    run = next(message.run_id for message in world.published if isinstance(message, RunTask))
    world.run_id = run
    world.report("a", "started")
    world.now = at("2026-03-03T06:00")
    ticks(world, "2026-03-03T06:00")
    assert world.problems == ["overlap_skipped"]
    world.report("a", "completed")
    world.now = at("2026-03-04T06:00")
    ticks(world, "2026-03-04T06:00")
    assert world.sent == [("a", 1), ("a", 1)]


def test_tick_with_overlap_allowed_starts_second_run() -> None:
    world = with_cron(overlap="allow")
    ticks(world, "2026-03-02T06:00")
    world.now = at("2026-03-03T06:00")
    ticks(world, "2026-03-03T06:00")
    assert world.sent == [("a", 1), ("a", 1)]


def test_tick_after_cron_removed_is_refused() -> None:
    world = with_cron()
    world.declare("s", "a", revision=1)
    ticks(world, "2026-03-02T06:00")
    assert world.problems == ["not_scheduled"]


def test_time_zone_follows_daylight_saving() -> None:
    assert next_after("0 6 * * *", "Europe/Berlin", at("2026-03-28T00:00")) == at(
        "2026-03-28T05:00"
    )
    assert next_after("0 6 * * *", "Europe/Berlin", at("2026-03-29T03:00")) == at(
        "2026-03-29T04:00"
    )


def test_local_time_skipped_or_repeated_fires_at_most_once() -> None:
    assert next_after("30 2 * * *", "Europe/Berlin", at("2026-03-28T12:00")) == at(
        "2026-03-30T00:30"
    )
    first = next_after("30 2 * * *", "Europe/Berlin", at("2026-10-24T12:00"))
    assert first == at("2026-10-25T00:30")
    assert next_after("30 2 * * *", "Europe/Berlin", first) == at("2026-10-26T01:30")


def test_cron_with_both_day_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="day"):
        a_world("a", a={"cron": "0 6 1 * 1"})

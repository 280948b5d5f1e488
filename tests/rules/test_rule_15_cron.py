"""Rule 15: a cron fires at its nominal times, in its zone; overlap is skipped and said; a missed tick fires or is reported."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cerebro.core.cron.schedule import due_ticks, next_after
from cerebro.core.effects import Tick
from cordyna_core.contract.commands import RunTask
from rules.scene import Scene, a_graph


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def with_cron(**more: Any) -> Scene:
    scene = a_graph("a", a={"cron": "0 6 * * *", **more})
    scene.now = at("2026-03-02T06:00")
    return scene


def ticks(scene: Scene, nominal: str) -> None:
    scene.hears(Tick("a", at(nominal)))


def test_a_tick_invokes_its_task_and_the_body_sees_the_nominal_time() -> None:
    scene = with_cron()
    scene.now += 40
    ticks(scene, "2026-03-02T06:00")
    command = scene.told[-1]
    assert isinstance(command, RunTask)
    assert command.scheduled_at == datetime(2026, 3, 2, 6, tzinfo=UTC)


def test_a_tick_that_comes_twice_fires_once() -> None:
    scene = with_cron()
    ticks(scene, "2026-03-02T06:00")
    ticks(scene, "2026-03-02T06:00")
    assert len(scene.store.runs(10)) == 1
    assert set(scene.sent) == {("a", 1)}


def test_a_tick_that_is_at_most_five_minutes_late_fires() -> None:
    scene = with_cron()
    scene.now += 300
    ticks(scene, "2026-03-02T06:00")
    assert scene.sent == [("a", 1)]


def test_a_tick_that_is_later_is_reported() -> None:
    scene = with_cron()
    scene.now += 301
    ticks(scene, "2026-03-02T06:00")
    assert scene.problems == ["missed_tick"]
    assert scene.sent == []


def test_after_a_long_sleep_the_last_tick_fires_once_and_the_others_are_missed() -> None:
    slept = due_ticks(
        "*/10 * * * *", "UTC", after=at("2026-03-02T06:00"), now=at("2026-03-02T06:41")
    )
    assert slept.fires == at("2026-03-02T06:40")
    assert [tick - at("2026-03-02T06:00") for tick in slept.missed] == [600, 1200, 1800]


def test_while_the_run_of_the_tick_before_goes_on_a_tick_is_skipped_and_that_is_said() -> None:
    scene = with_cron(run_timeout_s=7 * 24 * 3600)
    ticks(scene, "2026-03-02T06:00")
    run = next(message.run_id for message in scene.told if isinstance(message, RunTask))
    scene.run_id = run
    scene.says("a", "started")
    scene.now = at("2026-03-03T06:00")
    ticks(scene, "2026-03-03T06:00")
    assert scene.problems == ["overlap_skipped"]
    scene.says("a", "completed")
    scene.now = at("2026-03-04T06:00")
    ticks(scene, "2026-03-04T06:00")
    assert scene.sent == [("a", 1), ("a", 1)]


def test_a_task_may_allow_overlap() -> None:
    scene = with_cron(overlap="allow")
    ticks(scene, "2026-03-02T06:00")
    scene.now = at("2026-03-03T06:00")
    ticks(scene, "2026-03-03T06:00")
    assert scene.sent == [("a", 1), ("a", 1)]


def test_a_tick_of_a_task_that_has_no_cron_any_more_is_void() -> None:
    scene = with_cron()
    scene.declares("s", "a", revision=1)
    ticks(scene, "2026-03-02T06:00")
    assert scene.problems == ["not_scheduled"]


def test_a_time_zone_moves_with_daylight_saving() -> None:
    assert next_after("0 6 * * *", "Europe/Berlin", at("2026-03-28T00:00")) == at(
        "2026-03-28T05:00"
    )
    assert next_after("0 6 * * *", "Europe/Berlin", at("2026-03-29T03:00")) == at(
        "2026-03-29T04:00"
    )


def test_a_time_that_does_not_exist_is_skipped_and_one_that_comes_twice_fires_once() -> None:
    assert next_after("30 2 * * *", "Europe/Berlin", at("2026-03-28T12:00")) == at(
        "2026-03-30T00:30"
    )
    first = next_after("30 2 * * *", "Europe/Berlin", at("2026-10-24T12:00"))
    assert first == at("2026-10-25T00:30")
    assert next_after("30 2 * * *", "Europe/Berlin", first) == at("2026-10-26T01:30")


def test_both_day_fields_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="day"):
        a_graph("a", a={"cron": "0 6 1 * 1"})

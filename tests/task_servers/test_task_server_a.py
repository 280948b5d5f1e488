"""Team a's tasks, each run alone and without any bus."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import derived_id
from cordyna_core.testing import RecordingBus
from task_server_a import png
from task_server_a.server import server


def output_of(task: str, **params: Any) -> dict[str, Any]:
    result = server.test_run(task, **params)
    assert result.state == "completed", result.error
    assert isinstance(result.output, dict)
    return result.output


def pulse_at(nominal: datetime) -> dict[str, Any]:
    far = datetime(9999, 1, 1, tzinfo=UTC)
    command = RunTask(
        server=server.name,
        run_id=derived_id("tick"),
        task="order-pulse",
        attempt=1,
        params={},
        ack_by=far,
        start_by=far,
        scheduled_at=nominal,
    )
    result = server.run(command, bus=RecordingBus(), clock=lambda: 0.0)
    assert result is not None
    assert isinstance(result.output, dict)
    return result.output


def test_server_a_tasks_have_no_upstream_and_owner_team_a() -> None:
    tasks = server.declaration.tasks
    assert {task.name for task in tasks} == {
        "task-1",
        "week-sales",
        "stock-levels",
        "supplier-prices",
        "thumbnail",
        "order-pulse",
    }
    assert not any(task.upstream for task in tasks)
    assert {task.owner for task in tasks} == {"team-a"}


def test_server_a_tasks_have_descriptions() -> None:
    tasks = server.declaration.tasks
    assert tasks
    assert [task.name for task in tasks if not task.description] == []


def test_order_pulse_alone_has_a_cron_of_sixty_seconds() -> None:
    assert {task.name: task.cron for task in server.declaration.tasks if task.cron} == {
        "order-pulse": "* * * * *"
    }


def test_task_1_without_day_sums_the_last_recorded_day() -> None:
    sold = output_of("task-1")
    assert sold["day"] == "2026-10-25"
    assert sum(sold["by_product"].values()) == sum(sold["by_region"].values()) == sold["cents"] > 0
    assert json.loads(Path(sold["path"]).read_text())["cents"] == sold["cents"]


def test_task_1_with_day_sums_that_day() -> None:
    assert output_of("task-1", day="2026-10-12")["day"] == "2026-10-12"


def test_task_1_with_unrecorded_day_names_the_recorded_days() -> None:
    result = server.test_run("task-1", day="2026-01-01")
    assert (result.state, result.reason) == ("error", "failed_terminal")
    assert result.error is not None
    assert (
        result.error.message
        == "nothing was sold on 2026-01-01: the till's records go from 2026-10-12 to 2026-10-25"
    )


def test_task_1_with_invalid_day_is_refused() -> None:
    result = server.test_run("task-1", day="yesterday")
    assert result.state == "error"
    assert result.error is not None
    assert result.error.type == "InvalidParams"


@pytest.mark.parametrize("day", ["2026-13-01", "2026-02-30"])
def test_task_1_with_impossible_date_fails(day: str) -> None:
    result = server.test_run("task-1", day=day)
    assert (result.state, result.reason) == ("error", "failed_terminal")


def test_week_sales_has_seven_days_and_agrees_with_task_1() -> None:
    week = output_of("week-sales")
    assert len(week["by_day"]) == 7
    assert week["by_day"]["2026-10-25"] == output_of("task-1")["cents"]
    assert len(list(csv.DictReader(Path(week["path"]).read_text().splitlines()))) == 7


def test_week_sales_counts_days_without_records_as_zero() -> None:
    week = output_of("week-sales", day="2026-10-12")
    assert week["by_day"]["2026-10-11"] == 0
    assert week["cents_before"] == 0


def test_stock_levels_lists_low_products_emptiest_first() -> None:
    stock = output_of("stock-levels")
    shares = [product["on_hand"] / product["reorder_point"] for product in stock["low"]]
    assert shares == sorted(shares)
    assert shares[-1] < 1
    assert 0 < len(stock["low"]) < stock["products"] == len(stock["pack_prices"])


def test_supplier_prices_fails_with_line_and_next_step() -> None:
    result = server.test_run("supplier-prices")
    assert (result.state, result.reason) == ("error", "failed_terminal")
    assert result.error is not None
    assert result.error.retryable is False
    assert result.error.message == (
        "supplier_prices.csv: line 15: the price of MAP-01 is 'on request', not a number of cents;"
        " ask the supplier for a new list"
    )
    assert "supplier_prices.py" in (result.error.traceback or "")


def test_thumbnail_scales_the_picture_in_proportion() -> None:
    small = output_of("thumbnail", width=60)
    assert (small["width"], small["height"]) == (60, 40)
    picture = png.decode(Path(small["path"]).read_bytes())
    assert (picture.width, picture.height) == (60, 40)


def test_thumbnail_waits_until_it_is_cancelled() -> None:
    looked = iter([False, True])
    result = server.test_run("thumbnail", wait_s=300, cancelled=lambda: next(looked, True))
    assert result.state == "completed"
    assert next(looked, None) is None


def test_thumbnail_refuses_to_make_the_picture_larger() -> None:
    assert server.test_run("thumbnail", width=481).state == "error"


def test_order_pulse_covers_the_hour_before_nominal_time() -> None:
    pulse = pulse_at(datetime(2026, 11, 24, 14, 30, tzinfo=UTC))
    assert pulse["until"] == "2026-10-25T14:30:00"
    assert pulse["orders"] > 0


def test_order_pulse_for_same_nominal_time_is_deterministic() -> None:
    noon = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert pulse_at(noon) == pulse_at(noon)


def test_order_pulse_finds_nothing_at_night() -> None:
    assert pulse_at(datetime(2026, 11, 24, 3, 0, tzinfo=UTC))["orders"] == 0


def test_order_pulse_without_tick_covers_the_last_sales_hour() -> None:
    assert output_of("order-pulse")["orders"] > 0

"""Team b's tasks, each run alone, on outputs such as team a's tasks give."""

import csv
from pathlib import Path
from typing import Any

from task_server_a.server import server as server_a
from task_server_b.server import server


def low(sku: str, *, on_hand: int, reorder_point: int = 10, pack_size: int = 6) -> dict[str, Any]:
    product = {"sku": sku, "name": sku, "supplier": "Wick", "pack_price_cents": 100}
    return product | {"on_hand": on_hand, "reorder_point": reorder_point, "pack_size": pack_size}


def sold(**other: Any) -> dict[str, Any]:
    return {
        "day": "2026-10-25",
        "orders": 2,
        "items": 3,
        "cents": 900,
        "by_product": {"A": 600, "B": 300},
        "by_region": {"north": 900},
    } | other


def bought(**other: Any) -> dict[str, Any]:
    return {"lines": 1, "cents": 500, "by_supplier": {"Wick": 500}} | other


def output_of(task: str, upstream: dict[str, Any], **params: Any) -> dict[str, Any]:
    result = server.test_run(task, upstream=upstream, **params)
    assert result.state == "completed", result.error
    assert isinstance(result.output, dict)
    return result.output


def test_task_3_needs_both_servers_and_others_need_server_a() -> None:
    upstream = {task.name: set(task.upstream_names) for task in server.declaration.tasks}
    of_a = set(server_a.tasks)
    assert upstream["task-3"] == {"task-1", "task-2"}
    assert "task-1" in of_a
    assert upstream["task-2"] == {"stock-levels"} <= of_a
    for needs in upstream.values():
        assert needs & of_a or any(upstream[name] & of_a for name in needs)


def test_upstreams_are_declared_by_one_of_both_servers() -> None:
    needed = {name for task in server.declaration.tasks for name in task.upstream_names}
    assert needed <= set(server_a.tasks) | set(server.tasks)


def test_servers_share_no_task_name() -> None:
    assert not set(server_a.tasks) & set(server.tasks)


def test_server_b_tasks_have_descriptions_and_owner_team_b() -> None:
    assert all(task.description for task in server.declaration.tasks)
    assert {task.owner for task in server.declaration.tasks} == {"team-b"}


def test_task_2_buys_as_few_whole_packs_as_reach_the_cover() -> None:
    output = output_of(
        "task-2", {"stock-levels": {"low": [low("A", on_hand=2), low("B", on_hand=8)]}}
    )
    lines = list(csv.DictReader(Path(output["path"]).read_text().splitlines()))
    assert [(line["sku"], line["packs"]) for line in lines] == [("A", "3"), ("B", "2")]
    assert output["cents"] == 500


def test_task_2_buys_nothing_when_nothing_runs_low() -> None:
    assert output_of("task-2", {"stock-levels": {"low": []}})["lines"] == 0


def test_task_2_omits_products_that_last_for_the_cover() -> None:
    output = output_of("task-2", {"stock-levels": {"low": [low("A", on_hand=9)]}}, cover=1)
    assert output["lines"] == 1
    assert (
        output_of("task-2", {"stock-levels": {"low": [low("A", on_hand=10)]}}, cover=1)["lines"]
        == 0
    )


def test_task_2_with_unknown_upstream_output_fails_clearly() -> None:
    result = server.test_run("task-2", upstream={"stock-levels": {"low": [{"sku": "A"}]}})
    assert (result.state, result.reason) == ("error", "failed")
    assert result.error is not None
    assert result.error.type == "ValidationError"


def test_task_3_renders_sales_and_purchases() -> None:
    output = output_of("task-3", {"task-1": sold(), "task-2": bought()})
    page = Path(output["path"]).read_text()
    assert "2 orders, 3 items, <b>9.00</b>. To be bought: 1 products for 5.00." in page
    assert output["sold_cents"] == 900


def test_task_3_shows_only_the_top_products() -> None:
    page = Path(
        output_of("task-3", {"task-1": sold(), "task-2": bought()}, top=1)["path"]
    ).read_text()
    assert "<td>A</td>" in page
    assert "<td>B</td>" not in page


def test_task_3_escapes_text_of_other_teams() -> None:
    page = Path(
        output_of("task-3", {"task-1": sold(by_region={"<script>": 1}), "task-2": bought()})["path"]
    ).read_text()
    assert "<script>" not in page


def test_sales_trend_names_the_best_day_and_the_change() -> None:
    output = output_of(
        "sales-trend", {"week-sales": {"by_day": {"mon": 100, "tue": 200}, "cents_before": 200}}
    )
    assert output == {"cents": 300, "best_day": "tue", "best_cents": 200, "change_percent": 50.0}


def test_sales_trend_without_earlier_sales_has_no_change() -> None:
    assert (
        output_of("sales-trend", {"week-sales": {"by_day": {"mon": 1}, "cents_before": 0}})[
            "change_percent"
        ]
        is None
    )


def test_supplier_comparison_lists_rises_largest_first() -> None:
    upstream = {
        "stock-levels": {"pack_prices": {"A": 100, "B": 100, "C": 100}},
        "supplier-prices": {"prices": {"A": 90, "B": 130, "C": 100}},
    }
    assert [change["sku"] for change in output_of("supplier-comparison", upstream)["changes"]] == [
        "B",
        "A",
    ]


def test_catalogue_page_refers_to_the_thumbnail() -> None:
    output = output_of(
        "catalogue-page", {"thumbnail": {"path": "small.png", "width": 120, "height": 80}}
    )
    assert "120 by 80 pixels](small.png)" in Path(output["path"]).read_text()


def test_weekly_digest_combines_trend_prices_and_catalogue() -> None:
    upstream = {
        "sales-trend": {"cents": 300, "best_day": "tue", "best_cents": 200, "change_percent": 50.0},
        "supplier-comparison": {"changes": [{"sku": "B", "paid": 100, "asked": 130}]},
        "catalogue-page": {"path": "catalogue.md"},
    }
    page = Path(output_of("weekly-digest", upstream)["path"]).read_text()
    assert "Sold: 3.00, +50.0 % on the week before. Best day: tue with 2.00." in page
    assert "| B | 1.00 | 1.30 |" in page


def test_outputs_of_server_a_are_valid_for_server_b() -> None:
    of_a = {
        task: server_a.test_run(task).output
        for task in ("task-1", "stock-levels", "week-sales", "thumbnail")
    }
    task_2 = output_of("task-2", of_a)
    assert output_of("task-3", of_a | {"task-2": task_2})["orders"] > 0
    assert output_of("sales-trend", of_a)["cents"] > 0
    assert output_of("catalogue-page", of_a)["path"]

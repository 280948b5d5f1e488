from pathlib import Path

import pytest

import server as module
from server import server


def test_three_tasks_agree_on_the_orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DATA", tmp_path)

    raw = server.test_run("sales.raw", day="2026-11-27")
    clean = server.test_run("sales.clean", upstream={"sales.raw": raw.output})
    summary = server.test_run("sales.summary", upstream={"sales.clean": clean.output})

    assert summary.output["orders"] == 24
    assert summary.output["day"] == "2026-11-27"


def test_day_is_needed_without_a_cron() -> None:
    assert server.test_run("sales.raw").error.message == "a day is needed: -p day=2026-11-27"

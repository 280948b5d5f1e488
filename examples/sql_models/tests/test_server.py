from pathlib import Path

import pytest

import server as module
from server import body_of, server


def test_upstreams_are_the_references() -> None:
    assert {str(edge) for edge in server.tasks["models.paid_orders"].upstream_names} == {
        "models.orders"
    }


def test_wrong_query_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DATABASE", tmp_path / "test.db")

    with pytest.raises(module.TerminalError, match="bad: no such table"):
        body_of("bad", "select * from missing")()

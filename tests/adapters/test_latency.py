"""The latency bench: what it says where there is no cloud to measure."""

import latency
import pytest


def test_latency_without_a_cloud_names_the_next_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr(latency, "ENDPOINT", "http://127.0.0.1:1")
    assert latency.measure(width=0) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: no local cloud answers at http://127.0.0.1:1.\n")
    assert shown.endswith("  next: make cloud\n")
    assert len(shown.splitlines()) == 3

"""Every test's files go to a folder of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def output_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CORDYNA_OUTPUT", str(tmp_path))
    return tmp_path

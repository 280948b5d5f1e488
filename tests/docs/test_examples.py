"""Examples: every command of their READMEs, in a copy of their folder; `make examples`."""

import os
import shutil
from pathlib import Path

import pytest

from architecture.repository import ROOT, files, name_of
from docs.blocks import EXAMPLES, example_pages
from docs.checks import check_page
from docs.sandbox import Sandbox

needs_more = pytest.mark.skipif(
    "CORDYNA_EXAMPLES" not in os.environ, reason="they need DuckDB and Node: make examples"
)


@needs_more
@pytest.mark.parametrize("page", example_pages(), ids=name_of)
def test_example_does_what_its_readme_shows(page: Path, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    for file in files():
        if file.is_relative_to(page.parent):
            target = sandbox.cwd / file.relative_to(page.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)

    check_page(page, sandbox)


def test_every_example_is_in_the_index() -> None:
    index = (EXAMPLES / "README.md").read_text()
    folders = {page.parent.name for page in example_pages()}
    assert [folder for folder in folders if f"]({folder})" not in index] == []
    assert folders


def test_lock_files_of_examples_name_no_host() -> None:
    locks = [*EXAMPLES.glob("*/package-lock.json")]
    assert locks
    for lock in locks:
        assert "resolved" not in lock.read_text(), lock.relative_to(ROOT)

"""The example of three teams: its commands do what is shown, on the embedded engine."""

import shutil
from pathlib import Path

from architecture.repository import ROOT
from docs.blocks import EXAMPLES, blocks_of
from docs.checks import check_page
from docs.sandbox import Sandbox

FOLDER = EXAMPLES / "federation"
PAGE = ROOT / "docs" / "how-to" / "between-teams.md"


def test_example_of_three_teams_does_what_it_shows(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    for file in [*FOLDER.glob("*.py"), FOLDER / "pyproject.toml"]:
        shutil.copy(file, sandbox.cwd)

    check_page(FOLDER / "README.md", sandbox)


def test_page_and_example_have_the_same_files() -> None:
    shown = {
        block.directives["file"]: block.text
        for block in blocks_of(PAGE)
        if "file" in block.directives
    }
    assert shown == {name: (FOLDER / name).read_text() for name in shown}
    assert {path.name for path in FOLDER.glob("*.py")} <= shown.keys()

"""The recipes of docs/changing.md lead to files and commands that exist."""

import re
import subprocess

from architecture.repository import ROOT

CHANGING = ROOT / "docs" / "changing.md"
RECIPES = (
    "A new message of the contract",
    "A new reason",
    "A new rule of the protocol",
    "A new command of `dyna`",
    "A new AWS resource",
    "A new adapter of a port",
)


def test_every_recipe_is_there() -> None:
    headings = re.findall(r"^## (.+)$", CHANGING.read_text(), re.MULTILINE)
    assert [recipe for recipe in RECIPES if recipe not in headings] == []


def test_every_recipe_names_files_that_exist() -> None:
    for section in CHANGING.read_text().split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        targets = re.findall(r"\]\(([^)]+)\)", body)
        if title in RECIPES:
            assert targets, title
        assert [path for path in targets if not (CHANGING.parent / path).exists()] == [], title


def test_every_search_of_the_table_finds_something() -> None:
    searches = re.findall(r"\| `(grep .+?)` \|", CHANGING.read_text())
    assert len(searches) == 6
    for command in searches:
        found = subprocess.run(
            ["sh", "-c", command.replace("\\|", "\\|")], cwd=ROOT, capture_output=True, check=False
        )
        assert found.returncode == 0, command

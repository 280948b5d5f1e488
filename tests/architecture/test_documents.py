"""Documents: every link, heading and make target that they name exists."""

import re
import shlex
from pathlib import Path

import pytest

from architecture.repository import ROOT, files, name_of

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
DOCUMENTS = [path for path in files() if path.suffix == ".md"]


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as they are made from the text."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in LINK.findall(document.read_text()):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), f"{link} leads nowhere"
        assert path.is_relative_to(ROOT), f"{link} leaves the repository"
        assert not anchor or anchor in anchors(path), f"{link}: no such heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_row_of_a_table_is_below_its_head(document: Path) -> None:
    """A blank line in a table makes what follows plain text."""
    text = re.sub(
        r"^([ \t]*)```.*?^\1```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL
    )
    tables = re.findall(r"(?:^[ \t]*\|.*(?:\n|\Z))+", text, re.MULTILINE)
    headless = [
        table.splitlines()[0]
        for table in tables
        if not re.match(r"[^\n]*\n[ \t]*\|[-:| ]+\|", table)
    ]
    assert headless == []


def test_every_decision_has_its_four_sections() -> None:
    for adr in sorted((ROOT / "docs" / "adr").glob("0*.md")):
        sections = re.findall(r"^## (.+)$", adr.read_text(), re.MULTILINE)
        assert sections == [
            "Context",
            "Decision",
            "Consequences",
            "How we would know that we were wrong",
        ], adr.name


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    assert [
        adr.name for adr in (ROOT / "docs" / "adr").glob("0*.md") if adr.name not in index
    ] == []


def test_every_make_target_in_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for command in re.findall(
            r"^(?:\$ )?(make .+)$|`(make [^`]+)`", document.read_text(), re.MULTILINE
        ):
            named = [
                word for word in shlex.split("".join(command), comments=True)[1:] if word.isalpha()
            ][:1]
            assert set(named) <= targets, f"{document.name}: {command}"

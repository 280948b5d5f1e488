"""Blocks of code in Markdown pages, with the directives that say how a test treats them.

A directive is an HTML comment before a block, so no reader sees it:

- `not-run: why` or `run-by: FILE` (a test, a target of make or CI that does it);
- `file: NAME` the block is the text of this file; `picture: NAME` its terminal is a picture, too;
- `part-of: FILE` the block is a part of this file, which is in the folder by then;
- `exit: N` the status of a shell block, if it is not 0;
- `setup` and shell commands: done before the next block, and not shown.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from architecture.repository import ROOT, files, name_of

_PARTS = re.compile(
    r"^(?P<indent>[ \t]*)```(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=indent)```[ \t]*$"
    r"|<!--\s*(?P<key>not-run|run-by|file|part-of|exit|setup|picture)\b:?\s*(?P<value>.*?)\s*-->",
    re.MULTILINE | re.DOTALL,
)
EXAMPLES = ROOT / "examples"
NOT_EXECUTED = frozenset({"mermaid"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block: its place, its language, its text, and its directives."""

    page: str
    line: int
    language: str
    text: str
    directives: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_run(self) -> bool:
        return not {"not-run", "run-by"} & self.directives.keys()


def pages() -> list[Path]:
    """Every page with a block that is more than a diagram; generated pages have their own test."""
    return [
        path
        for path in files()
        if path.suffix == ".md"
        and path.parent.name != "reference"
        and blocks_of(path)
        # `make examples` runs them: they need more than the tests have.
        and not path.is_relative_to(EXAMPLES)
    ]


def example_pages() -> list[Path]:
    """The README of each example."""
    return [path for path in files() if path.name == "README.md" and path.parent.parent == EXAMPLES]


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page in order, without diagrams."""
    return [block for block in _all_blocks(page) if block.language not in NOT_EXECUTED]


def _all_blocks(page: Path) -> Iterator[Block]:
    source = page.read_text()
    directives: dict[str, str] = {}
    for match in _PARTS.finditer(source):
        if match["key"]:
            directives[match["key"]] = match["value"]
            continue
        indent = match["indent"]
        text = "".join(
            line.removeprefix(indent) for line in match["text"].splitlines(keepends=True)
        )
        yield Block(
            page=name_of(page),
            line=source.count("\n", 0, match.start()) + 1,
            language=match["info"].strip(),
            text=text,
            directives=directives,
        )
        directives = {}


def by_place() -> dict[str, Block]:
    return {block.place: block for page in pages() for block in blocks_of(page)}


def exists(target: str) -> bool:
    return (ROOT / target).is_file()

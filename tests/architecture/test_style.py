"""Style: plain technical English, short test names, unique class names, no dangling reference."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from architecture.repository import ROOT, files, name_of, python_files

FORBIDDEN: Final = (
    r"whoever",
    r"somebody",
    r"nobody",
    r"anybody",
    r"everybody",
    r"mend(s|ed|ing)?",
    r"(?-i:is none)",
    r"as far as",
    r"goes on",
    r"stands",
    r"comes to",
    r"bur(y|ies|ied)",
    r"dig_up",
    r"knots?",
    r"wheel(?!s?\b)",
    r"errands?",
    r"postmark(ed)?",
    r"told\(",
    r"heard\(",
    r"roll call",
    r"unmended",
    r"guardians?",
)
"""Words of a private dialect, and idioms that a reader has to decode: one list for everything."""

ALLOWED: Final = (
    "tests/architecture/test_style.py",  # the list itself
    "LICENSE",
)
"""Files that may contain the words, each with its reason."""

FORBIDDEN_PATTERN: Final = re.compile(rf"\b(?:{'|'.join(FORBIDDEN)})", re.IGNORECASE)
DANGLING: Final = re.compile(
    r"\bsection \d|rule \d+ of the design|\(section|\.\./shared|of the design\b"
)
SENTENCE_END: Final = re.compile(r"[a-z0-9)*\"”:][.!?][*\"”)]* +(?=[A-Zx*\[(])")
PRAGMA: Final = re.compile(r"(  # (type: ignore|noqa).*)+$")
LONGEST_TEST_NAME: Final = 60
MAX_COLUMNS: Final = 100
TEXT_SUFFIXES: Final = {".py", ".md", ".toml", ".yml", ".yaml", ".js", ".mjs", ".css", ".html"}
SHARED_NAMES: Final = {"TaskServer"}
"""`TaskServer` is a team's server in the library, and its resources in the CDK construct."""


def texts() -> Iterator[tuple[Path, str]]:
    for path in files():
        if path.suffix not in TEXT_SUFFIXES or "vendor" in path.parts or path.name in ALLOWED:
            continue
        if name_of(path) not in ALLOWED:
            yield path, path.read_text()


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name_of(path)}:{number}: {hit.group()}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        for hit in [pattern.search(line)]
        if hit
    ]


def test_no_forbidden_word_is_used() -> None:
    assert lines_with(FORBIDDEN_PATTERN) == []


def test_no_reference_leads_outside_the_repository() -> None:
    assert lines_with(DANGLING) == []


def test_module_invariants_are_called_invariants() -> None:
    assert lines_with(re.compile(r"\bLaws?( \(.*\))?: ")) == []


def test_python_lines_fit_one_hundred_columns() -> None:
    long = [
        f"{name_of(path)}:{number}"
        for path in python_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(PRAGMA.sub("", line)) > MAX_COLUMNS
    ]
    assert long == []


def test_test_names_are_at_most_sixty_characters() -> None:
    long = {
        f"{name_of(path)}: {node.name}"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and len(node.name) > LONGEST_TEST_NAME
    }
    assert long == set()


def test_public_class_names_are_unique_across_packages() -> None:
    homes = defaultdict(set)
    for path in python_files():
        if "src" not in path.parts and path.parts[len(ROOT.parts)] != "infra":
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(name_of(path))
    doubles = {name: sorted(paths) for name, paths in homes.items() if len(paths) > 1}
    assert {name: paths for name, paths in doubles.items() if name not in SHARED_NAMES} == {}


@pytest.mark.parametrize("path", [path for path in files() if path.suffix == ".md"], ids=name_of)
def test_markdown_has_one_sentence_a_line(path: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    several = [
        line
        for line in prose.splitlines()
        if not line.lstrip().startswith(("|", "<", "#", ">"))
        and SENTENCE_END.search(re.sub(r"^\s*\d+\. |`[^`]*`|\b(?:e\.g|i\.e)\. ", "x", line))
    ]
    assert several == []

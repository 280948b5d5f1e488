"""Structure: import contracts, names, sizes, locks, and what the repository must not contain."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from architecture.repository import DISTRIBUTIONS, PUBLISHED, ROOT, files, name_of, python_files

MAX_LINES = 400

# The words that the glossary rules out for what we name ourselves.
BANNED_WORDS = frozenset(
    {
        "common",
        "helper",
        "helpers",
        "job",
        "jobs",
        "manager",
        "processor",
        "util",
        "utils",
        "workflow",
    }
)

# One letter of each is in brackets, so that this file does not match itself.
ADDRESSES = re.compile(
    r"/[w]ork/|/[r]oot/|/[h]ome/|/[o]pt/(?:pypi|wheels)|[f]ile://|[p]ypi\.org|[p]ythonhosted"
    r"|registry\.[n]pmjs|--[i]ndex-url|--[e]xtra-index|--[f]ind-links[= ]+\w+:"
)


def definitions(tree: ast.Module) -> Iterator[str]:
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement.name


def words_of(name: str) -> set[str]:
    """`GraphManager` and `graph_manager` -> {"graph", "manager"}."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def requirements(name: str) -> dict[str, str]:
    """Package (with its marker) -> the rest of its entry in a lock file."""
    text = (ROOT / "requirements" / name).read_text()
    return {entry.partition("\\")[0].strip(): entry for entry in re.split(r"\n(?=[a-z0-9])", text)}


def project_of(distribution: str) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())[
        "project"
    ]
    return project


def test_import_contracts_hold() -> None:
    lint = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_no_module_has_more_than_four_hundred_lines() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in python_files()}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_no_name_has_a_word_without_meaning() -> None:
    found = {
        f"{name_of(path)}: {name}"
        for path in python_files()
        for name in [
            *path.relative_to(ROOT).with_suffix("").parts,
            *definitions(ast.parse(path.read_text())),
        ]
        if words_of(name) & BANNED_WORDS and not name.startswith("test_")
    }
    assert found == set()


def test_every_shipped_module_has_a_docstring() -> None:
    shipped = [path for path in python_files() if "src" in path.parts]
    assert [
        name_of(path)
        for path in shipped
        if (tree := ast.parse(path.read_text())).body and not ast.get_docstring(tree)
    ] == []


def test_no_address_of_an_index_or_a_machine_is_contained() -> None:
    found = []
    for path in files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name_of(path)}: {hit.group()}" for hit in ADDRESSES.finditer(text)]
    assert found == []


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_every_locked_package_is_pinned_and_hashed(name: str) -> None:
    for package, entry in requirements(name).items():
        assert re.match(r"[a-z0-9._-]+(\[[a-z0-9,-]+\])?==", package), package
        assert "--hash=sha256:" in entry, package


def test_run_and_dev_locks_have_the_same_versions() -> None:
    assert set(requirements("run.txt")) <= set(requirements("dev.txt"))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_distribution_is_typed_licensed_and_documented(distribution: str) -> None:
    folder = ROOT / distribution
    assert list(folder.glob("src/*/py.typed"))
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert len((folder / "README.md").read_text().splitlines()) > 3
    assert project_of(distribution)["requires-python"] == ">=3.11"


@pytest.mark.parametrize("distribution", PUBLISHED)
def test_published_distribution_describes_itself(distribution: str) -> None:
    project = project_of(distribution)

    assert project["license"] == "Apache-2.0"
    assert (ROOT / distribution / project["readme"]).is_file()
    assert project["description"]
    assert set(project["urls"]) == {"Source", "Documentation", "Changelog", "Issues"}
    assert {"Typing :: Typed", "Operating System :: POSIX :: Linux"} <= set(project["classifiers"])


def test_release_publishes_every_distribution() -> None:
    makefile = (ROOT / "Makefile").read_text()
    release = (ROOT / ".github/workflows/release.yml").read_text()

    assert all(f"{name} " in makefile or f"./{name}" in makefile for name in PUBLISHED)
    assert f"--line-regexp {len(PUBLISHED)}" in release


def test_library_depends_on_pydantic_only() -> None:
    (only,) = project_of("layers/cordyna_core")["dependencies"]
    assert only.startswith("pydantic")


@pytest.mark.parametrize("server", ["task_server_a", "task_server_b"])
def test_task_server_depends_on_the_library_only(server: str) -> None:
    (only,) = project_of(f"functions/{server}")["dependencies"]
    assert only.startswith("cordyna-core")


def test_every_declared_dependency_is_locked() -> None:
    locked = {re.split(r"[=\[ ]", package, maxsplit=1)[0] for package in requirements("dev.txt")}
    for distribution in DISTRIBUTIONS:
        project = project_of(distribution)
        extras: dict[str, list[str]] = project.get("optional-dependencies", {})
        for wanted in [*project["dependencies"], *chain.from_iterable(extras.values())]:
            name = re.split(r"[<>=\[ ]", wanted, maxsplit=1)[0]
            assert name in locked or name.partition("-")[0] == "cordyna", (
                f"{distribution} wants {wanted}"
            )


BESIDE_USER_CODE = (
    "server/",
    "entrypoints/running_attempt.py",
    "worker/body/body.py",
    "worker/body/output.py",
    "worker/python_server.py",
)
"""What runs in the process of a body: user code there may replace functions of modules."""

REPLACED_OFTEN = re.compile(r"\b(json\.(loads|dumps)|time\.(time|monotonic))\(")


def test_code_beside_bodies_binds_what_user_code_may_replace() -> None:
    """`json.loads = ...` or a frozen clock in a body would change what its attempt reports."""
    core = ROOT / "layers/cordyna_core/src/cordyna_core"
    found = [
        f"{path.relative_to(core)}: {line.strip()}"
        for path in python_files()
        if path.is_relative_to(core) and str(path.relative_to(core)).startswith(BESIDE_USER_CODE)
        for line in path.read_text().splitlines()
        if REPLACED_OFTEN.search(line)
    ]
    assert found == []

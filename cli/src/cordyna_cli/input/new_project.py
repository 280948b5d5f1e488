"""New project: the files that `dyna init` writes, and where they may be written.

Invariant: no file is overwritten. Either nothing is written, or the reason names what was.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from cordyna_cli.input.contract_problems import NAME_RULE
from cordyna_cli.usage_error import UsageError
from cordyna_core.contract.ids import NAME_PATTERN
from cordyna_core.errors import UserError

NAME_CHARACTERS_MAX: Final = 100
"""Behind the name of a server, `.orders` must fit into the name of a task."""


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """One file of a new project: its path, its text, and what it is for."""

    path: str
    text: str
    purpose: str


_PYPROJECT: Final = """\
# `dyna` finds this file upwards from where it is started.
[tool.cordyna]
servers = ["server.py"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
"""

_SERVER: Final = '''\
"""The task server $name: declares its tasks, and runs them when it is asked to."""

from cordyna_core import Context, TaskServer

server = TaskServer("$name", owner="team-$name")


@server.task(name="$name.orders")
def orders(day: str = "today") -> dict[str, int]:
    """How many orders a day had, and their sum in cents."""
    print(f"reading the orders of {day}")
    return {"count": 3, "cents": 4250}


@server.task(name="$name.report", upstream=["$name.orders"])
def report(*, ctx: Context) -> str:
    """The orders in a sentence."""
    sold = ctx.upstream["$name.orders"]
    return f"{sold['count']} orders, {sold['cents'] / 100:.2f} euros"
'''

_TEST: Final = '''\
"""Each task is tested as a function: no engine runs."""

from server import server


def test_report_has_count_and_sum() -> None:
    sold = {"count": 2, "cents": 1050}

    result = server.test_run("$name.report", upstream={"$name.orders": sold})

    assert (result.state, result.output) == ("completed", "2 orders, 10.50 euros")
'''

_REQUIREMENTS: Final = """\
cordyna
pytest
"""

_GITIGNORE: Final = """\
# The home: runs, logs and outputs.
.cordyna/
.venv/
.pytest_cache/
__pycache__/
"""

_WORKFLOW: Final = """\
# Every push: the tests, whether the server would be accepted, and one real run.
name: ci

on: [push, pull_request]

permissions:
  contents: read

jobs:
  test:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    steps:
      - uses: actions/checkout@v6
      - uses: actions/setup-python@v6
        with:
          python-version: "3.13"
      - run: pip install -r requirements.txt
      - run: python -m pytest
      - run: dyna plan --declare server.py
      - run: dyna do $name.report
"""

FILES: Final = (
    ProjectFile("pyproject.toml", _PYPROJECT, "names the servers of this project"),
    ProjectFile("server.py", _SERVER, "the server, with two tasks"),
    ProjectFile("tests/test_server.py", _TEST, "a test of one of them"),
    ProjectFile("requirements.txt", _REQUIREMENTS, "what to install"),
    ProjectFile(".gitignore", _GITIGNORE, "what not to commit"),
    ProjectFile(".github/workflows/ci.yml", _WORKFLOW, "runs the tests on every push"),
)


def project_name(name: str | None, cwd: Path) -> str:
    """Return the name of the server: `name`, or that of the folder.

    Raises UsageError for what cannot name a server.
    """
    chosen = cwd.name if name is None else name
    if re.fullmatch(NAME_PATTERN, chosen) and len(chosen) <= NAME_CHARACTERS_MAX:
        return chosen
    rule = NAME_RULE.replace("128", str(NAME_CHARACTERS_MAX))
    what = f'"{chosen}" cannot be the name of a task server.'
    if name is None:
        what = f'the folder "{chosen}" cannot give its name to a task server.'
    raise UsageError(what, why=rule, next=f"dyna init {_suggested(chosen)}")


def _suggested(name: str) -> str:
    """Return what is left of a name of the characters that are allowed."""
    allowed = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).name).strip("-._")
    return allowed[:NAME_CHARACTERS_MAX] or "my-server"


def write_project(folder: Path, name: str, *, is_new: bool) -> None:
    """Write the files of a server called `name` into `folder`.

    `is_new`: the folder must be empty or missing; else only its files must not be in the way.

    Raises UserError if something is there already, or cannot be written.
    """
    _require_room(folder, is_new=is_new)
    try:
        for file in FILES:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8") as stream:
                stream.write(Template(file.text).substitute(name=name))
    except OSError as failed:
        raise UserError(
            f"{failed.filename or folder} cannot be written.",
            why=failed.strerror or str(failed),
            next="choose a folder that you may write to, and delete what was begun",
        ) from failed


def _require_room(folder: Path, *, is_new: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file.", next="dyna init ANOTHER-NAME")
    present = list(_in_the_way(folder, is_new=is_new))
    if not present:
        return
    names = ", ".join(present[:5]) + (", ..." if len(present) > 5 else "")
    if is_new:
        raise UserError(
            f"{folder} is not empty.",
            why=f"it has {names}",
            next="dyna init ANOTHER-NAME, or `dyna init` in that folder",
        )
    raise UserError(
        f"{folder} has files that a new project would overwrite.",
        why=names,
        next="dyna init NAME makes a folder of its own",
    )


def _in_the_way(folder: Path, *, is_new: bool) -> Iterator[str]:
    if is_new:
        yield from sorted(path.name for path in folder.iterdir()) if folder.is_dir() else ()
    else:
        yield from (file.path for file in FILES if (folder / file.path).exists())

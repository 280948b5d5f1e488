"""The wheels: what a team installs, in an environment where nothing else is.

The environments are real ones, made without a network: the packages that a wheel requires, and no
others, are linked from the environment that runs the tests. This is what README.md, tutorial.md,
and the READMEs of the distributions show as `pip install`.
"""

import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from architecture.repository import ROOT

OURS = ("cordyna-core", "cordyna-cli", "cordyna-cerebro", "cordyna-console", "cordyna")


@dataclass(frozen=True, slots=True)
class Environment:
    folder: Path

    @property
    def site_packages(self) -> Path:
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def run(self, command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a shell command with this environment's programs first, and no other cordyna."""
        variables = {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "HOME": str(cwd),
            "COLUMNS": "120",
            "LC_ALL": "C.UTF-8",
        }
        return subprocess.run(
            ["sh", "-c", command],
            cwd=cwd,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def needed_by(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """The packages that installing `name` installs, itself apart."""
    found: set[str] = set()
    for text in distribution(name).requires or []:
        wanted = Requirement(text)
        if wanted.marker is None or any(
            wanted.marker.evaluate({"extra": extra}) for extra in extras | {""}
        ):
            found |= {canonicalize_name(wanted.name)} | needed_by(
                wanted.name, frozenset(wanted.extras)
            )
    return found - {name}


def link(name: str, into: Path) -> None:
    """Make an installed package be found in another site-packages folder, too."""
    installed = distribution(name)
    for top in {
        file.parts[0]
        for file in installed.files or []
        if file.parts[0] not in {"..", "__pycache__"}
    }:
        if not (into / top).exists():
            (into / top).symlink_to(Path(str(installed.locate_file(top))))


def environment_for(name: str, dist: Path, folder: Path) -> Environment:
    """An environment with `name` and what it requires, installed from the wheels in `dist`."""
    venv.create(folder, with_pip=False)
    made = Environment(folder)
    for package in needed_by(name) - set(OURS):
        link(package, made.site_packages)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "--python",
        str(folder / "bin" / "python"),
    ]
    subprocess.run([*pip, "install", "--no-index", "--find-links", dist, name], check=True)
    return made


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of our wheels, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    for source in ("layers/cordyna_core", "cli", "functions/cerebro", "console", "client"):
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
            cwd=ROOT / source,
            check=True,
            capture_output=True,
        )
    return folder


MINE = """
from cordyna_core import Context, TaskServer

server = TaskServer("my-server")


@server.task
def name() -> str:
    return "world"


@server.task(upstream=["name"])
def hello(greeting: str = "hello", *, ctx: Context) -> str:
    return f"{greeting}, {ctx.upstream['name']}"
"""


def test_library_alone_runs_a_task(dist: Path, tmp_path: Path) -> None:
    environment = environment_for("cordyna-core", dist, tmp_path / "env")
    (tmp_path / "my.py").write_text(MINE)
    (tmp_path / "check.py").write_text(
        "from importlib.util import find_spec\n"
        "for absent in ('networkx', 'boto3', 'cerebro', 'cordyna_cli', 'typer', 'rich'):\n"
        "    assert find_spec(absent) is None, absent\n"
        "from my import server\n"
        "print(server.test_run('hello', upstream={'name': 'world'}).output)\n"
    )
    result = environment.run("python check.py", tmp_path)
    assert (result.stdout.strip(), result.stderr) == ("hello, world", "")


def test_library_readme_counts_its_packages() -> None:
    readme = (ROOT / "layers" / "cordyna_core" / "README.md").read_text()
    packages = needed_by("cordyna-core")
    assert f"**{len(packages) + 1} packages**" in readme
    assert [name for name in packages if f"`{name}`" not in readme] == []


def test_cordyna_alone_gives_dyna_engine_console_and_client(dist: Path, tmp_path: Path) -> None:
    environment = environment_for("cordyna", dist, tmp_path / "env")
    (mine := tmp_path / "mine").mkdir()
    commands = (
        "dyna init shop && cd shop && dyna do shop.report && dyna ui --help >&2 && "
        "python -c 'from cordyna import connect; from cordyna_console.entry import ConsoleEntry; "
        'print(connect().invoke("shop.report").result(30))\''
    )

    result = environment.run(commands, mine)

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "3 orders, 42.50 euros"

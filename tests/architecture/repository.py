"""What the tests of the house look at: the files of this repository."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = (
    "layers/cordyna_core",
    "cli",
    "console",
    "client",
    "functions/cerebro",
    "functions/task_server_a",
    "functions/task_server_b",
)
PUBLISHED = (
    "layers/cordyna_core",
    "cli",
    "console",
    "functions/cerebro",
    "client",
    "infra/cordyna_cdk",
)


@cache
def files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, in version control; links count where they point."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(
        path
        for name in sorted(listed.stdout.split("\0"))
        if name and (path := ROOT / name).is_file() and not path.is_symlink()
    )


def python_files() -> tuple[Path, ...]:
    return tuple(path for path in files() if path.suffix == ".py")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()

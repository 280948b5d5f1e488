"""Builds the folders that Lambda is given: the layer and cerebro, each with its locked packages. No Docker.

Law: what is put there is what requirements/layer.txt and requirements/cerebro.txt lock, as wheels for the function's architecture and
Python, whatever machine builds it. Bytecode is beside it where the function's Python is at hand: on Lambda nothing can be written there, so
without it every cold start compiles all that it imports.

    python infra/build_assets.py [--architecture arm64|x86_64] [--runtime python3.14]
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from cordyna_infra.variants import NEWEST_PYTHON, ROOT, variant

_PLATFORMS: Final = {
    "arm64": ("manylinux_2_28_aarch64", "manylinux2014_aarch64"),
    "x86_64": ("manylinux_2_28_x86_64", "manylinux2014_x86_64"),
}
"""Amazon Linux 2023 has glibc 2.34."""

_NOT_SHIPPED: Final = shutil.ignore_patterns("__pycache__", "*.pyc", "cli", "local")


def build(architecture: str, runtime: str) -> Path:
    """The folder with `layer/` and `cerebro/` in it."""
    into = variant(architecture, runtime)
    in_layer = _locked("layer.txt", architecture, runtime)
    beside = {
        name: entry
        for name, entry in _locked("cerebro.txt", architecture, runtime).items()
        if name not in in_layer
    }
    _install(in_layer, into / "layer" / "python", architecture, runtime)
    _copy(
        ROOT / "layers" / "cordyna_core" / "src" / "cordyna_core",
        into / "layer" / "python" / "cordyna_core",
    )
    _install(beside, into / "cerebro", architecture, runtime)
    _copy(ROOT / "functions" / "cerebro" / "src" / "cerebro", into / "cerebro" / "cerebro")
    python = python_of(runtime)
    if python is None:
        sys.stderr.write(
            f"there is no {runtime} on this machine to make bytecode with: a cold start will take 0.25 s of CPU more\n"
        )
    else:
        compile_all(into, python)
    return into


def _locked(name: str, architecture: str, runtime: str) -> dict[str, str]:
    """Package -> its entry in a lock file, with its hashes. What a marker keeps from this Python is left out: pip would ask its own."""
    there = {
        "python_version": runtime.removeprefix("python"),
        "python_full_version": runtime.removeprefix("python") + ".0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": {"arm64": "aarch64"}.get(architecture, architecture),
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    entries = {}
    for entry in re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements" / name).read_text()):
        snapshot, _, hashes = entry.partition("\\\n")
        requirement = Requirement(snapshot.strip())
        if requirement.marker is None or requirement.marker.evaluate(there):
            entries[requirement.name] = f"{requirement.name}{requirement.specifier} \\\n{hashes}\n"
    return entries


def _install(entries: dict[str, str], into: Path, architecture: str, runtime: str) -> None:
    """Install wheels into a folder, unless exactly these are there already."""
    wanted = "".join(entries.values())
    stamp = into.parent / f".{into.name}.installed"
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    requirements = into.parent / f".{into.name}.requirements.txt"
    requirements.write_text(wanted)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--quiet",
        "--quiet",
        "install",
        "--require-hashes",
        "--no-deps",
    ]
    # The lock has chosen for the function's Python; pip would compare what a wheel requires with the Python that it runs in itself.
    for_lambda = [
        "--ignore-requires-python",
        "--only-binary=:all:",
        "--no-compile",
        "--implementation=cp",
        f"--python-version={runtime.removeprefix('python')}",
    ]
    platforms = [f"--platform={platform}" for platform in _PLATFORMS[architecture]]
    subprocess.run(
        [*pip, *for_lambda, *platforms, f"--target={into}", f"--requirement={requirements}"],
        check=True,
    )
    shutil.rmtree(into / "bin", ignore_errors=True)
    stamp.write_text(digest)


def _copy(package: Path, into: Path) -> None:
    """Our own code, without what only runs on a laptop."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(package, into, ignore=_NOT_SHIPPED)


def python_of(runtime: str) -> str | None:
    """The interpreter on this machine whose bytecode a function of that runtime reads."""
    tag = f"cpython-{runtime.removeprefix('python').replace('.', '')}"
    told = "import sys; print(sys.implementation.cache_tag)"
    for python in filter(None, (sys.executable, shutil.which(runtime))):
        # Asked, because what is found by its name may be a shim that leads nowhere.
        if (
            subprocess.run(
                [python, "-c", told], capture_output=True, text=True, check=False
            ).stdout.strip()
            == tag
        ):
            return python
    return None


def compile_all(folder: Path, python: str) -> None:
    """Put bytecode beside all sources but tests."""
    # Unchecked, because an archive keeps no times to check; and without the path of this folder, so that every machine makes the same.
    tests = f"^{re.escape(str(folder))}/(.*/)?tests/"
    arguments = [
        "-qq",
        "--invalidation-mode=unchecked-hash",
        "-x",
        tests,
        "-s",
        str(folder),
        str(folder),
    ]
    subprocess.run([python, "-m", "compileall", *arguments], check=True)


def main() -> None:
    """Build for the architecture and Python that are given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--architecture", choices=sorted(_PLATFORMS), default="arm64")
    parser.add_argument("--runtime", default=NEWEST_PYTHON)
    given = parser.parse_args()
    sys.stdout.write(f"{build(given.architecture, given.runtime).relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()

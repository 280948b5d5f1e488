"""Build the folders that are deployed to Lambda: the layer, cerebro and the hosted console, each
with its locked packages. No Docker.

Invariant: the content is what requirements/{layer,cerebro,console}.txt lock, as wheels for the
function's architecture and Python, on whatever machine it is built. Bytecode is included where the
function's Python is installed: Lambda's file system is read-only, so without bytecode every cold
start compiles all imported modules.

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

from cordyna_infra.build_variants import NEWEST_PYTHON, ROOT, variant_folder

_PLATFORMS: Final = {
    "arm64": ("manylinux_2_28_aarch64", "manylinux2014_aarch64"),
    "x86_64": ("manylinux_2_28_x86_64", "manylinux2014_x86_64"),
}
"""Amazon Linux 2023 has glibc 2.34."""

_IGNORED: Final = shutil.ignore_patterns("__pycache__", "*.pyc")
_NOT_DEPLOYED: Final = ("embedded", "simulator", "testing", "worker")
"""Packages that only run on a laptop, in tests or in containers."""

_FUNCTION_PACKAGES: Final = {
    "cerebro": (ROOT / "functions" / "cerebro" / "src" / "cerebro",),
    "console": (
        ROOT / "cli" / "src" / "cordyna_cli",
        ROOT / "console" / "src" / "cordyna_console",
    ),
}
"""Folder, and name of its lock file -> packages of ours."""


def build(architecture: str, runtime: str) -> Path:
    """Build `layer/`, `cerebro/` and `console/`; returns the folder that holds them."""
    into = variant_folder(architecture, runtime)
    in_layer = _locked("layer.txt", architecture, runtime)
    _install(in_layer, into / "layer" / "python", architecture, runtime)
    copy_package(
        ROOT / "layers" / "cordyna_core" / "src" / "cordyna_core",
        into / "layer" / "python" / "cordyna_core",
    )
    for name, packages in _FUNCTION_PACKAGES.items():
        not_in_layer = {
            package: entry
            for package, entry in _locked(f"{name}.txt", architecture, runtime).items()
            if package not in in_layer
        }
        _install(not_in_layer, into / name, architecture, runtime)
        for package in packages:
            copy_package(package, into / name / package.name)
    python = python_of(runtime)
    if python is None:
        sys.stderr.write(
            f"no {runtime} to compile bytecode with: cold starts will take 0.25 s of CPU more\n"
        )
    else:
        compile_all(into, python)
    return into


def _locked(name: str, architecture: str, runtime: str) -> dict[str, str]:
    """Package -> its entry in a lock file, with hashes.

    Markers are evaluated here for the target: pip would evaluate them for the Python that runs it.
    """
    target = {
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
        pin, _, hashes = entry.partition("\\\n")
        requirement = Requirement(pin.strip())
        if requirement.marker is None or requirement.marker.evaluate(target):
            entries[requirement.name] = f"{requirement.name}{requirement.specifier} \\\n{hashes}\n"
    return entries


def _install(entries: dict[str, str], into: Path, architecture: str, runtime: str) -> None:
    """Install wheels into a folder, unless exactly these are installed already."""
    content = "".join(entries.values())
    stamp = into.parent / f".{into.name}.installed"
    digest = hashlib.sha256(content.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    requirements = into.parent / f".{into.name}.requirements.txt"
    requirements.write_text(content)
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
    # The lock is for the function's Python; pip would compare the requirement with its own Python.
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


def copy_package(package: Path, into: Path) -> None:
    """Copy a package of ours, without bytecode and without what is not deployed."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(package, into, ignore=_IGNORED)
    for part in _NOT_DEPLOYED:
        shutil.rmtree(into / part, ignore_errors=True)


def python_of(runtime: str) -> str | None:
    """The interpreter on this machine that compiles bytecode for `runtime`.

    None if it has no match.
    """
    tag = f"cpython-{runtime.removeprefix('python').replace('.', '')}"
    code = "import sys; print(sys.implementation.cache_tag)"
    for python in filter(None, (sys.executable, shutil.which(runtime))):
        # A command of that name may be a shim without an interpreter behind it.
        if (
            subprocess.run(
                [python, "-c", code], capture_output=True, text=True, check=False
            ).stdout.strip()
            == tag
        ):
            return python
    return None


def compile_all(folder: Path, python: str) -> None:
    """Compile all sources but tests."""
    # Unchecked, because an archive keeps no modification times; without the path of this folder, so
    # that every machine produces the same bytes.
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
    """Build for the architecture and Python of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--architecture", choices=sorted(_PLATFORMS), default="arm64")
    parser.add_argument("--runtime", default=NEWEST_PYTHON)
    arguments = parser.parse_args()
    sys.stdout.write(f"{build(arguments.architecture, arguments.runtime).relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()

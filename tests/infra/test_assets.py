"""Assets: bytecode is included, so that cold starts compile nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from architecture.repository import ROOT
from build_assets import compile_all, copy_package, python_of

HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"


def module_in(folder: Path, text: str = "x = 1\n") -> Path:
    folder.mkdir()
    (folder / "some.py").write_text(text)
    return folder


def bytecode_in(folder: Path) -> bytes:
    (found,) = folder.glob("__pycache__/some.*.pyc")
    return found.read_bytes()


def test_python_of_prefers_the_building_python() -> None:
    assert python_of(HERE) == sys.executable


@pytest.mark.parametrize("answer", ["echo cpython-27", "exit 127"])
def test_python_of_checks_what_a_command_of_that_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    (tmp_path / "python4.0").write_text(f"#!/bin/sh\n{answer}\n")
    (tmp_path / "python4.0").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert python_of("python4.0") is None
    (tmp_path / "python4.0").write_text("#!/bin/sh\necho cpython-40\n")
    assert python_of("python4.0") == str(tmp_path / "python4.0")


def test_python_of_unknown_runtime_is_none() -> None:
    assert python_of("python4.1") is None


def test_compile_all_skips_tests_of_packages(tmp_path: Path) -> None:
    folder = module_in(tmp_path / "tests")
    module_in(folder / "tests")
    module_in(folder / "package")
    module_in(folder / "package" / "tests")
    compile_all(folder, sys.executable)
    assert {
        path.parent.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.pyc")
    } == {"tests", "tests/package"}


def test_bytecode_ignores_times_and_names_no_machine(
    tmp_path: Path,
) -> None:
    folder, other = module_in(tmp_path / "one"), module_in(tmp_path / "other")
    for each in (folder, other):
        compile_all(each, sys.executable)
    assert bytecode_in(folder) == bytecode_in(other)
    assert str(tmp_path).encode() not in bytecode_in(folder)
    # Were it compiled again, this would be seen.
    (folder / "some.py").write_text("x = 2\n")
    result = subprocess.run(
        [sys.executable, "-B", "-c", "import some; print(some.x)"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "1\n"


@pytest.mark.parametrize(
    ("package", "module", "missing"),
    [
        ("layers/cordyna_core/src/cordyna_core", "entrypoints.lambda_handlers", "worker"),
        ("functions/cerebro/src/cerebro", "lambdas.queue_handlers", "embedded"),
        ("functions/cerebro/src/cerebro", "lambdas.query", "simulator"),
        ("functions/cerebro/src/cerebro", "lambdas.sweeper", "testing"),
    ],
)
def test_handlers_need_nothing_that_is_not_deployed(
    tmp_path: Path, package: str, module: str, missing: str
) -> None:
    name = Path(package).name
    copy_package(ROOT / package, tmp_path / name)
    assert not (tmp_path / name / missing).exists()
    code = f"import {name}.{module} as m; print(m.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))

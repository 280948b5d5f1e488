"""The wheel: every file of the page is in it, and it serves the page where no Node is."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "console/src/cordyna_console/page"


def test_wheel_holds_every_file_of_the_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*command, str(ROOT / "console")], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for path in PAGE.rglob("*"):
            if path.is_file():
                name = f"cordyna_console/page/{path.relative_to(PAGE).as_posix()}"
                assert archive.read(name) == path.read_bytes(), name
    assert not [name for name in names if "node_modules" in name or name.endswith(".mjs")]
    assert any(name.endswith("entry_points.txt") for name in names)

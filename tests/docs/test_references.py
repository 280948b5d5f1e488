"""The generated references are those of the code."""

import subprocess
import sys

from architecture.repository import ROOT


def test_generated_references_are_current() -> None:
    """`make references` writes them."""
    checked = subprocess.run(
        [sys.executable, "site/references.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (checked.returncode, checked.stderr) == (0, "")

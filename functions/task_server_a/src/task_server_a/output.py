"""Output: the files that this server writes.

Invariant: the path of a file contains its run, so a repeated attempt writes the same file again.
"""

import os
import tempfile
from pathlib import Path


def folder(run_id: str) -> Path:
    """Return the folder of a run, below CORDYNA_OUTPUT or the temporary folder; create it."""
    root = os.environ.get("CORDYNA_OUTPUT") or tempfile.gettempdir() + "/cordyna-output"
    path = Path(root) / run_id
    path.mkdir(parents=True, exist_ok=True)
    return path


def write(run_id: str, name: str, content: str | bytes) -> str:
    """Write a file; return its path, the reference that a task returns."""
    path = folder(run_id) / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)

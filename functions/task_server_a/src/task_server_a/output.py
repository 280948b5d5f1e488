"""Output: where this server's files go.

Law: a file is named by its run, so an attempt that is repeated writes the same file again.
"""

import os
import tempfile
from pathlib import Path


def folder(run_id: str) -> Path:
    """The run's folder, made if need be: under CORDYNA_OUTPUT, or the temporary folder (in Lambda, /tmp is all there is)."""
    root = os.environ.get("CORDYNA_OUTPUT") or tempfile.gettempdir() + "/cordyna-output"
    path = Path(root) / run_id
    path.mkdir(parents=True, exist_ok=True)
    return path


def write(run_id: str, name: str, content: str | bytes) -> str:
    """Write the file, and return its path: the reference that goes into a task's output."""
    path = folder(run_id) / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)

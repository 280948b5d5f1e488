"""The folders of built assets, one pair per architecture and Python.

Invariant: wheels with native code are built for one architecture and Python and never mixed.
(Nothing here needs the CDK: the folders are built before synth.)
"""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
NEWEST_PYTHON: Final = "python3.14"


def variant_folder(architecture: str, runtime: str) -> Path:
    """Return `build/lambda/arm64-python3.14`."""
    return ROOT / "build" / "lambda" / f"{architecture}-{runtime}"

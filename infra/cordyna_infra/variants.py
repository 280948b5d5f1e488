"""Variants: where the folders are that functions are made of, one pair for each architecture and Python.

Law: wheels with native code are built for one of each, and are never mixed. (Nothing here needs the CDK: the folders are built first.)
"""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
NEWEST_PYTHON: Final = "python3.14"


def variant(architecture: str, runtime: str) -> Path:
    """`build/lambda/arm64-python3.14`."""
    return ROOT / "build" / "lambda" / f"{architecture}-{runtime}"

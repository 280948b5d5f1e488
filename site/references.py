"""Writes the generated references into docs/reference: command line, Python API, configuration.

    python site/references.py           writes them
    python site/references.py --check   exits with 1 if one is not current

Invariant: what they say comes from the code; a page that differs from it fails a test.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from reference_api import python_api_page
from reference_commands import command_line_page
from reference_configuration import configuration_page

FOLDER: Final = Path(__file__).parents[1] / "docs" / "reference"
PAGES: Final[dict[str, Callable[[], str]]] = {
    "command-line.md": command_line_page,
    "python-api.md": python_api_page,
    "configuration.md": configuration_page,
}
COMMAND: Final = "make references"


def main() -> int:
    """0, or 1 if `--check` was given and a page is not current."""
    texts = {FOLDER / name: make() for name, make in PAGES.items()}
    if "--check" in sys.argv:
        stale = [
            path.name
            for path, text in texts.items()
            if not path.is_file() or path.read_text() != text
        ]
        for name in stale:
            sys.stderr.write(f"docs/reference/{name} is not current: {COMMAND}\n")
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

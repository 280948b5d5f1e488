"""OpenAPI: the description of the API, from the routes and the models.

Invariant: it depends on the code only, so the published file can be compared with it.
"""

import json
import sys
from typing import Any, Final, cast

from cordyna_cli.engine import Engine
from cordyna_console.app import build_app
from cordyna_console.console import Console, ConsoleIdentity
from cordyna_console.description import describe
from cordyna_console.guard import ConsoleAccess
from cordyna_core.contract.time import utc

_NO_ACCESS: Final = ConsoleAccess(port=0, token="", cookie="")


def openapi_text() -> str:
    """Return the description as it is published."""
    identity = ConsoleIdentity(engine="embedded", where="", command="dyna", by="")
    # Describing the routes asks no engine.
    console = Console(engine=cast(Engine, None), identity=identity, now=lambda: utc(0))
    document: dict[str, Any] = describe(build_app(console, lambda: _NO_ACCESS))
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Print it: `make api` writes the file."""
    sys.stdout.write(openapi_text())


if __name__ == "__main__":
    main()

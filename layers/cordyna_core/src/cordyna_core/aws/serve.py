"""Serve: making this process the one that serves a file's task server in a container.

Invariant: the process that supervises bodies has imported no user code. A program that calls
`server.serve()` has, so it is replaced.
"""

import os
import sys
from collections.abc import Callable
from typing import Final

from cordyna_core.aws.runtime import work_queue

_BOOT: Final = "from cordyna_core.entrypoints.serve import main; sys.exit(main())"

Replace = Callable[[str, list[str]], object]


def become_serve(
    target: str, concurrency: int | None = None, *, replace: Replace = os.execv
) -> None:
    """Replace this process. It does not return.

    Raises:
        UserError: no queue is named.
        OSError: what the system answers.
    """
    work_queue()
    sys.stdout.flush()
    sys.stderr.flush()
    # What this program can import, the new one can; but nothing of it replaces Python's modules.
    entries = [entry for entry in sys.path if entry]
    boot = (
        "import sys; sys.path[:] = filter(None, sys.path);"
        f" sys.path += [p for p in {entries!r} if p not in sys.path]; {_BOOT}"
    )
    options = [] if concurrency is None else ["--concurrency", str(concurrency)]
    replace(sys.executable, [sys.executable, "-c", boot, target, *options])

"""Load exec: the declaration of a server in another language, from the server itself.

Invariant: its process has ended before the declaration is returned; no task of it runs.
"""

import os
import select
import uuid
from pathlib import Path
from typing import Any

from cordyna_core.errors import ServiceError, UserError
from cordyna_core.worker.pool.events import Declared, LoadFailed
from cordyna_core.worker.pool.pool import WorkerPool
from cordyna_core.worker.settings import Settings
from cordyna_core.worker.spec import ServerSpec


def load_exec(target: str, cwd: Path, settings: Settings | None = None) -> dict[str, Any]:
    """Return the `detail` that the server of `exec:COMMAND` declares, unchecked.

    Raises UserError: it cannot be started, ends before, or declares nothing in time. Raises
    ServiceError where no process can be started at all.
    """
    try:
        pool = WorkerPool(token=f"{os.getpid()}-{uuid.uuid4().hex}", settings=settings)
    except OSError as cause:
        raise ServiceError(
            f"the worker host could not be started: {cause}.",
            next="check the limits of processes and open files (ulimit -a), then try again",
        ) from cause
    try:
        pool.start([ServerSpec(target, cwd=str(cwd))])
        answer = _answer(pool)
    finally:
        pool.close()
    if isinstance(answer, Declared):
        return answer.detail
    raise UserError(
        f"{target} did not declare itself.",
        why=answer.error,
        next="its first line on stdout must be its ServerDeclared: docs/contract/local-worker.md",
    )


def _answer(pool: WorkerPool) -> Declared | LoadFailed:
    """Return the first answer about the server. The host gives one in any case."""
    while True:
        select.select([pool], [], [], pool.next_poll_s())
        for event in pool.receive():
            if isinstance(event, Declared | LoadFailed):
                return event

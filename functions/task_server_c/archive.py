"""Team c's task server: the shop's archive, in a container, because its body may take hours.

It is one file and a Dockerfile: a task server need not be a distribution.
"""

import gzip
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from cordyna_core import Context, TaskServer

server = TaskServer("task-server-c", owner="team-c")

_HASHES_PER_ROUND = 20_000


@server.task(name="archive-sales", upstream=["week-sales"], run_timeout_s="2h")
def archive_sales(
    rounds: Annotated[int, Field(ge=1, le=100_000)] = 5, *, ctx: Context
) -> dict[str, Any]:
    """The week's sales, compressed and sealed with `rounds` times 20,000 hashes."""
    figures = json.dumps(ctx.upstream["week-sales"]["by_day"], sort_keys=True).encode()
    seal = b""
    for done in range(1, rounds + 1):
        seal = hashlib.pbkdf2_hmac("sha256", figures, seal or b"week", _HASHES_PER_ROUND)
        ctx.progress(done / rounds, f"round {done}")
        if ctx.cancelled:
            break
    folder = Path(os.environ.get("CORDYNA_OUTPUT") or tempfile.gettempdir()) / ctx.run_id
    folder.mkdir(parents=True, exist_ok=True)
    packed = folder / "week.json.gz"
    packed.write_bytes(gzip.compress(figures, mtime=0))
    return {"path": str(packed), "seal": seal.hex(), "bytes": packed.stat().st_size}

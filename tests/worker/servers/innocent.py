"""A server whose results, output and clocks must stay exact beside others that misbehave."""

import sys
import time
from pathlib import Path

from cordyna_core import Context, TaskServer

server = TaskServer("innocent")


@server.task
def count(number: int, *, ctx: Context) -> dict[str, int]:
    for line in range(20):
        print("innocent", number, line)
    sys.stderr.write(f"{number} on stderr\n")
    ctx.log.info("%d logged", number)
    return {"number": number}


@server.task(upstream=["count"], retries=1)
def second_try(marker: str, *, ctx: Context) -> int:
    """Fails once for each marker."""
    file = Path(marker)
    if not file.exists():
        file.touch()
        raise ValueError("the first time")
    return int(ctx.upstream["count"]["number"])


@server.task(run_timeout_s=1)
def too_long() -> None:
    time.sleep(600)

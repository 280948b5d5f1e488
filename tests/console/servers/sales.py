"""The sales team's server: one task fails until its input is repaired, one retries, one is slow."""

import os
import time
from pathlib import Path

from cordyna_core import Context, TaskServer, TerminalError

server = TaskServer("sales", owner="team-sales")


def _pause(seconds: float) -> None:
    time.sleep(seconds * float(os.environ.get("DEMO_PACE", "1")))


@server.task(cron="* * * * *")
def order_pulse(*, ctx: Context) -> dict[str, int]:
    """Every minute: how many orders came in."""
    ctx.log.info("counting orders")
    return {"orders": 12}


@server.task()
def orders(day: str = "today", *, ctx: Context) -> dict[str, int]:
    """The orders of one day."""
    ctx.log.info("reading orders of %s", day)
    _pause(0.3)
    for part in range(60):
        print(f"part {part}: {part * 7} orders")
    return {"rows": 42}


@server.task(upstream=["orders"], retries=1)
def raw(*, ctx: Context) -> dict[str, int]:
    """Raw rows. Fails while the file that REPAIRED names is missing."""
    _pause(0.2)
    if not Path(os.environ.get("REPAIRED", "/nonexistent")).exists():
        print("<script>document.title = 'injected'</script> \x1b[31mred\x1b[0m")
        raise ValueError("row 7: the price '<n/a>' is not a number")
    return {"rows": 41}


@server.task(upstream=["raw"])
def clean(*, ctx: Context) -> dict[str, int]:
    """Rows without duplicates."""
    return {"rows": 40}


@server.task()
def forecast(*, ctx: Context) -> dict[str, int]:
    """Fails in a way that trying again does not repair."""
    raise TerminalError("the model is missing")

"""The stock team's server."""

import os
import time

from cordyna_core import Context, TaskServer

server = TaskServer("stock", owner="team-stock")


def _pause(seconds: float) -> None:
    time.sleep(seconds * float(os.environ.get("DEMO_PACE", "1")))


@server.task()
def stock_levels(*, ctx: Context) -> dict[str, int]:
    """What is in stock."""
    _pause(1.5)
    return {"products": 120}


@server.task(upstream=["clean", "stock-levels"])
def load(*, ctx: Context) -> dict[str, int]:
    """Loads rows and stock together."""
    _pause(0.2)
    return {"loaded": 160}


@server.task()
def slow(seconds: float = 60, *, ctx: Context) -> dict[str, float]:
    """Runs until its time is over or its run is cancelled."""
    for second in range(int(seconds * 10)):
        if ctx.cancelled:
            break
        ctx.progress(second / (seconds * 10))
        time.sleep(0.1)
    return {"slept": seconds}

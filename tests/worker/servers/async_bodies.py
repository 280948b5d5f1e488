"""`async def` bodies."""

import asyncio
from pathlib import Path

from cordyna_core import TaskServer

server = TaskServer("async-bodies", concurrency=2)


@server.task
async def quick() -> str:
    await asyncio.sleep(0)
    return "quick"


@server.task
async def endless(marker: str) -> None:
    try:
        Path(marker).write_text("begun")
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        print("cancelled in the body")
        raise


@server.task
async def catches_it(marker: str) -> str:
    try:
        Path(marker).write_text("begun")
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "half"
    return "all"

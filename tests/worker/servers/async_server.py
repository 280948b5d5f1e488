"""What a worker process loads in tests of `async def` bodies: not a TaskServer."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cordyna_core.worker import coroutines


class AsyncServer:
    concurrency = 2

    def declaration(self) -> str:
        tasks = [{"name": "quick"}, {"name": "endless"}]
        return json.dumps({"server": "async", "contract": "1", "revision": 0, "tasks": tasks})

    def run(
        self,
        detail: dict[str, Any],
        publish: Callable[[str, str, bool], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        identity = {name: detail[name] for name in ("server", "run_id", "task", "attempt")}
        body = quick() if detail["task"] == "quick" else endless(detail["params"]["marker"])
        try:
            output = coroutines.value_of(body)
        except asyncio.CancelledError as error:
            description = {"type": type(error).__name__, "message": "", "retryable": True}
            final = {**identity, "state": "error", "reason": "failed", "error": description}
        else:
            final = {**identity, "state": "completed", "output": output}
        publish("TaskStateChanged", json.dumps(final), True)


async def quick() -> str:
    await asyncio.sleep(0)
    return "quick"


async def endless(marker: str) -> None:
    try:
        Path(marker).write_text("begun")
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        print("cancelled in the body")
        raise


def load(target: str) -> AsyncServer:
    return AsyncServer()

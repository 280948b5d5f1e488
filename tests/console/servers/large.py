"""A server with LARGE tasks in layers, one of which fails; for budgets of the page."""

import os
import time

from cordyna_core import TaskServer

server = TaskServer("large", owner="team-large")
SIZE = int(os.environ.get("LARGE", "1000"))
WIDTH = max(10, SIZE // 40)
PAUSE_S = float(os.environ.get("LARGE_PAUSE_S", "0"))


def _declare(index: int) -> None:
    above = index - WIDTH
    needs = sorted({above, above - (index * 7) % WIDTH, above - (index * 13) % WIDTH})
    upstream = [f"t{need}" for need in needs if need >= 0]

    def body() -> int:
        time.sleep(PAUSE_S)
        if index == SIZE // 3:
            raise ValueError("one of many")
        return index

    server.task(name=f"t{index}", upstream=upstream)(body)


for number in range(SIZE - 1):
    _declare(number)
server.task(name="all", upstream=[f"t{number}" for number in range(SIZE - 1)])(lambda: None)

"""A server whose results and output must stay exact beside others that misbehave."""

import sys

from cordyna_core import Context, TaskServer

server = TaskServer("innocent")


@server.task
def count(number: int, *, ctx: Context) -> dict[str, int]:
    for line in range(20):
        print("innocent", number, line)
    sys.stderr.write(f"{number} on stderr\n")
    ctx.log.info("%d logged", number)
    return {"number": number}

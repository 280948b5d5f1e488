"""A server with sixty tasks that are alike, one of which fails."""

from cordyna_core import TaskServer

server = TaskServer("wide", owner="team-wide")
WIDTH = 60
FAILS = 7


@server.task()
def orders() -> int:
    """What all parts need."""
    return WIDTH


def _declare(number: int) -> None:
    def body() -> int:
        if number == FAILS:
            raise ValueError("this part is missing")
        return number

    server.task(name=f"part-{number}", upstream=["orders"])(body)


for part in range(WIDTH):
    _declare(part)
server.task(name="all-parts", upstream=[f"part-{part}" for part in range(WIDTH)])(lambda: None)

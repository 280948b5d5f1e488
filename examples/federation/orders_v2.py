"""Team orders, as it would like to declare next: it breaks what reporting expects."""

from pydantic import BaseModel

from cordyna_core import TaskServer

server = TaskServer("orders", owner="team-orders")


class Clean(BaseModel):
    lines: int
    day: str


@server.task(
    name="orders.clean",
    consumers=["reporting", "reporting.*"],
    deprecated="use orders.lines",
    until="2027-03-01",
)
def clean(day: str = "today") -> Clean:
    """The cleaned orders of a day."""
    return Clean(lines=3, day=day)


@server.task(name="orders.purge", consumers=[], invokers=[])
def purge(customer: str) -> str:
    """Deletes a customer: only this server and people may ask for it."""
    return f"purged {customer}"

"""Team orders: what the other teams build on."""

from pydantic import BaseModel

from cordyna_core import TaskServer

server = TaskServer("orders", owner="team-orders")


class Clean(BaseModel):
    rows: int
    day: str


@server.task(name="orders.clean", consumers=["reporting", "reporting.*"])
def clean(day: str = "today") -> Clean:
    """The cleaned orders of a day."""
    return Clean(rows=3, day=day)


@server.task(name="orders.purge", consumers=[], invokers=[])
def purge(customer: str) -> str:
    """Deletes a customer: only this server and people may ask for it."""
    return f"purged {customer}"

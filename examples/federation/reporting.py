"""Team reporting: it writes what it needs of the orders, and shares no code with their team."""

from typing import Annotated

from pydantic import BaseModel

from cordyna_core import Context, TaskServer, upstream

server = TaskServer("reporting", owner="team-reporting")


class Orders(BaseModel):
    rows: int


@server.task
def report(orders: Annotated[Orders, upstream("orders.clean")]) -> str:
    """How many orders there were."""
    return f"{orders.rows} orders"


@server.task
def cleanup(customer: str, *, ctx: Context) -> str:
    """Asks another team to delete a customer, which that team does not allow."""
    return ctx.invoke("orders.purge", customer=customer)

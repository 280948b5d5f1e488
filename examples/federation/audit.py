"""Team audit: it depends on a task of another team without leave."""

from cordyna_core import TaskServer

server = TaskServer("audit", owner="team-audit")


@server.task(upstream=["orders.purge"])
def audit() -> str:
    """Would delete a customer by the way."""
    return "audited"

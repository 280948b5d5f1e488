"""Team finance: an invoice every morning, which has to be there by seven."""

import time

from cordyna_core import TaskServer

server = TaskServer("reporting.finance", owner="team-finance")


@server.task(
    upstream=["orders.clean"],
    cron="0 5 * * *",
    timezone="Europe/Berlin",
    due="07:00",
    run_timeout_s="4h",
)
def invoice() -> str:
    """Takes three hours on a bad day."""
    time.sleep(3 * 3600)
    return "sent"

"""Driver: which process drives the runs of a home, in words, and what to do where none does."""

from datetime import UTC, datetime

from cordyna_cli.engine import DriverInfo
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import join_names, moment

START_A_DRIVER = "dyna dev"


def driver_sentence(driver: DriverInfo | None, now: datetime) -> str:
    """Return `process 4711 (dyna dev) drives it since 12:03:04Z, with sales and stock`."""
    if driver is None:
        return "no process drives it: what waits goes to its servers when one does"
    process = f"process {driver.pid} ({one_line(driver.command)})"
    if driver.state == "killed":
        return f"{process} drove it and was killed: no process drives it now"
    since = moment(datetime.fromtimestamp(driver.since, UTC), now)
    servers = join_names([one_line(server) for server in driver.servers]) or "no server"
    return f"{process} drives it since {since}, with {servers}"


def is_driven(driver: DriverInfo | None) -> bool:
    """Return whether a process drives the home now."""
    return driver is not None and driver.state == "running"

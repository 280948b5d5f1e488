"""Redeclaration: ask every task server to declare itself again.

Invariant: the request changes nothing. A known server answers with a sign of life; a server that
cerebro does not know is in the graph after its answer. The request starts containers, so an
operator sends it; it is not scheduled.
"""

from cerebro.shell import Ports
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.commands import DescribeServer
from cordyna_core.contract.ids import derived_id


def request_redeclaration(ports: Ports) -> None:
    """Publish DescribeServer for all servers. Raises what the bus raises."""
    now = ports.clock()
    ports.bus.publish(
        (DescribeServer(server="*", meta=meta_at(now, derived_id("DescribeServer", f"{now:.6f}"))),)
    )

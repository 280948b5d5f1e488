"""Roll call: every task server is asked to declare itself again.

Law: it changes nothing by itself. A server that is known answers with a sign of life; one that cerebro has lost, or never heard, is back
in the graph with its answer. It wakes containers, so it is called by a person, and not regularly.
"""

from cerebro.shell import Ports
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.commands import DescribeServer
from cordyna_core.contract.ids import derived_id


def request_redeclaration(ports: Ports) -> None:
    """Raises what the bus raises."""
    now = ports.clock()
    ports.bus.publish(
        (DescribeServer(server="*", meta=meta_at(now, derived_id("DescribeServer", f"{now:.6f}"))),)
    )

"""The sweeper's Lambda: called by a schedule, it guards the guardians, and counts the runs that nothing would have woken.

Called by a person with `{"roll_call": true}`, it asks every task server to declare itself again, and sweeps.
"""

from typing import Final

from cerebro.handlers.redeclaration import request_redeclaration
from cerebro.handlers.stuck_runs import stuck_runs
from cerebro.handlers.sweep import sweep
from cerebro.lambdas.runtime import Event, LambdaContext, LambdaRuntime, on_call

RESERVE_MS: Final = 15_000
"""No new page is begun with less time than this left; the next sweep goes on."""


def _sweep(here: LambdaRuntime, event: Event, context: LambdaContext) -> Event:
    if event.get("roll_call"):
        request_redeclaration(here.ports)
    stuck = stuck_runs(here.ports.store, here.ports.clock())
    for run_id in stuck:
        here.log.error("nothing would have woken this run", extra={"correlation_id": run_id})
    # Also when it is none: an alarm on a metric that is missing says nothing.
    here.tally.count("StuckRuns", len(stuck))
    return {
        "rings": sweep(here.ports, lambda: context.get_remaining_time_in_millis() > RESERVE_MS),
        "stuck": stuck,
    }


handler = on_call("sweeper", _sweep)

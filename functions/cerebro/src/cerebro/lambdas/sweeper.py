"""The Lambda handler of the periodic sweep: re-arms the timer of every page of every active run,
and counts stuck runs.

Invoked with `{"roll_call": true}`, it also asks every task server to declare itself again.
"""

from typing import Final

from cerebro.handlers.redeclaration import request_redeclaration
from cerebro.handlers.stuck_runs import stuck_runs
from cerebro.handlers.sweep import sweep
from cerebro.lambdas.runtime import Event, LambdaContext, LambdaRuntime, on_call

MIN_REMAINING_MS: Final = 15_000
"""With less time left no further page is begun; the next sweep continues."""


class TimeBudget:
    """The time of one invocation, and whether it ran out before the sweep had ended."""

    def __init__(self, context: LambdaContext) -> None:
        self._context = context
        self.is_spent = False

    def keep_going(self) -> bool:
        """Whether there is time for one more page."""
        self.is_spent = self._context.get_remaining_time_in_millis() <= MIN_REMAINING_MS
        return not self.is_spent


def _sweep(runtime: LambdaRuntime, event: Event, context: LambdaContext) -> Event:
    if event.get("roll_call"):
        request_redeclaration(runtime.ports)
    stuck = stuck_runs(runtime.ports.store, runtime.ports.clock())
    for run_id in stuck:
        runtime.log.error("no timer would have woken this run", extra={"correlation_id": run_id})
    # Also counted when zero: an alarm on a missing metric would tell nothing.
    runtime.metrics.count("StuckRuns", len(stuck))
    budget = TimeBudget(context)
    sent = sweep(runtime.ports, budget.keep_going)
    runtime.metrics.count("UnfinishedSweeps", int(budget.is_spent))
    if budget.is_spent:
        runtime.log.error("the sweep did not reach every run", extra={"page_timers": sent})
    return {"rings": sent, "stuck": stuck, "finished": not budget.is_spent}


handler = on_call("sweeper", _sweep)

"""The Lambda handler of the periodic sweep: re-arms the timer of every page of every active run.

Invoked with `{"shard": 2}`, as its schedule does, it sweeps that partition of the active runs only;
without, all of them. Invoked with `{"roll_call": true}`, it also asks every task server to declare
itself again.

Invariant: the metric `UnfinishedSweeps` is written by every sweep, and the log says how far one
came that did not finish.
"""

from typing import Final, cast

from cerebro.adapters.aws.dynamodb_run_marks import SHARDS
from cerebro.handlers.redeclaration import request_redeclaration
from cerebro.handlers.sweep import ActivePages, sweep_shards
from cerebro.lambdas.runtime import Event, LambdaContext, LambdaRuntime, on_call

MIN_REMAINING_MS: Final = 30_000
"""With less time left no further run is begun; the next sweeps continue."""


def _sweep(runtime: LambdaRuntime, event: Event, context: LambdaContext) -> Event:
    if event.get("roll_call"):
        request_redeclaration(runtime.ports)
    shard = event.get("shard")
    progress = sweep_shards(
        runtime.ports,
        # Of all stores, only the one on AWS is partitioned.
        cast(ActivePages, runtime.ports.store),
        range(SHARDS) if shard is None else [int(shard)],
        lambda: context.get_remaining_time_in_millis() > MIN_REMAINING_MS,
    )
    runtime.metrics.count("UnfinishedSweeps", int(not progress.is_finished))
    answer = {
        "shard": shard,
        "runs": progress.runs,
        "rings": progress.page_timers,
        "last": progress.last,
        "finished": progress.is_finished,
    }
    if not progress.is_finished:
        runtime.log.error("the sweep did not reach every run", extra=answer)
    return answer


handler = on_call("sweeper", _sweep)

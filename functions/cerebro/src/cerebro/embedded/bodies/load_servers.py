"""Load servers: what task servers declare, without driving anything."""

import time
from collections.abc import Sequence

from cerebro.embedded.bodies.port import Bodies, LoadFailure, ServerLoaded
from cerebro.embedded.runtime.wake_pipe import WakePipe


def load_servers(
    bodies: Bodies, targets: Sequence[str], timeout_s: float
) -> list[ServerLoaded | LoadFailure]:
    """Load these servers, and end them again. Returns one result for each, in order.

    Raises ServiceError if the bodies cannot be started.
    """
    results: dict[str, ServerLoaded | LoadFailure] = {}
    wake_pipe = WakePipe()
    try:
        bodies.start(wake_pipe.wake)
        descriptor = bodies.fileno()
        if descriptor is not None:
            wake_pipe.watch(descriptor)
        bodies.load(targets)
        give_up_at = time.monotonic() + timeout_s
        while len(results) < len(targets) and (left_s := give_up_at - time.monotonic()) > 0:
            for event in bodies.receive():
                if isinstance(event, ServerLoaded | LoadFailure):
                    results[event.target] = event
            if len(results) < len(targets):
                wake_pipe.wait(min(left_s, 1.0))
    finally:
        bodies.close()
        wake_pipe.close()
    late = f"it has not declared itself within {timeout_s:g} s"
    return [
        results.get(target, LoadFailure(target, late, still_serving=False)) for target in targets
    ]

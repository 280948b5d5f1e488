"""The hold of `started`: how long a server waits with it, in case the body ends first.

Invariant: a hold that a team passes is at most half of each clock that `started` may stop, for
every task. The default is the library's, which gives a hold up where a clock is too short for it.
"""

from typing import Final

from aws_cdk import Duration

from cordyna_cdk.loaded_server import LoadedServer
from cordyna_core.errors import UserError
from cordyna_core.start_hold import HOLD_MAX_S

VARIABLE: Final = "CORDYNA_STARTED_AFTER_S"


def started_after_variable(
    started_after: Duration | None, loaded: LoadedServer, *, is_queued: bool
) -> dict[str, str]:
    """Return the environment variable of a hold; none if the server has the library's default.

    Raises:
        ValueError: it is longer than HOLD_MAX_S.
        UserError: it is longer than half of the clock of a task.
    """
    if started_after is None:
        return {}
    hold_s = started_after.to_milliseconds() / 1000
    if hold_s > HOLD_MAX_S:
        raise ValueError(
            f"started_after={hold_s:g} s: `started` is held for at most {HOLD_MAX_S:g} s"
        )
    # Behind a work queue, `queued` has stopped the first clock of a body that waited.
    clocks = ("ack_timeout_s", "start_timeout_s") if is_queued else ("ack_timeout_s",)
    short = [
        (f"{name} declares {clock}={seconds}", seconds)
        for name, task in loaded.server.tasks.items()
        for clock in clocks
        if hold_s > (seconds := getattr(task.declaration, clock)) / 2
    ]
    if short:
        raise UserError(
            f'started_after={hold_s:g} s is too long for server "{loaded.name}": '
            "it may be half of a clock that `started` stops.",
            why="\n".join(declared for declared, _ in short),
            next=f"pass at most {min(seconds for _, seconds in short) / 2:g} s, or declare longer "
            "clocks",
        )
    return {VARIABLE: f"{hold_s:g}"}

"""Start hold: how long a task server waits with `started`, in case its body ends first.

`started` is optional: the end of an attempt implies it, and names when the body began
(docs/rules.md, rule 1). A body that ends within the hold costs its server and cerebro one message
less.

Invariant: `started` is never held into the last CLOCK_MARGIN_S of the clock that it stops, so no
clock runs out because of a hold.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.state_updates import TaskStateChanged

DEFAULT_HOLD_S: Final = 1.0
"""On AWS: most bodies end sooner, and a longer one is shown as started a second late."""

HOLD_MAX_S: Final = 5.0
"""Half of the default acknowledgement clock."""

CLOCK_MARGIN_S: Final = 3.0
"""Two clocks may differ by 2 s, and an event takes less than one."""

PAUSE_S: Final = 1.0
"""Between two tries, unless the hold is longer. After a shorter hold, pauses double up to it."""

Stop = Callable[[], bool]
"""Ends a timer; what is under way is waited for. Returns whether the timer has sent `started`
itself, without `send`.
"""

StartTimer = Callable[[float, TaskStateChanged, Callable[[], bool]], Stop]
"""Given a delay in seconds, a `started`, and `send`, which sends it from this process and returns
whether it did: sends it after the delay, and again after pauses until it is sent or the timer is
stopped.
"""


def pauses(delay_s: float) -> Iterator[float]:
    """Yield the seconds before each try."""
    pause_s = delay_s
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, max(PAUSE_S, delay_s))


def not_sent() -> bool:
    """Stop nothing."""
    return False


def thread_timer(delay_s: float, started: TaskStateChanged, send: Callable[[], bool]) -> Stop:
    """Send in a thread. A body that keeps Python's global lock delays it."""
    stopped = threading.Event()

    def work() -> None:
        for pause_s in pauses(delay_s):
            if stopped.wait(pause_s) or send():
                return

    thread = threading.Thread(target=work, name="held-start", daemon=True)
    thread.start()

    def stop() -> bool:
        stopped.set()
        thread.join()
        return False

    return stop


@dataclass(frozen=True, slots=True)
class StartHold:
    """`started` is sent if a body still runs after `after_s`; 0: when it begins."""

    after_s: float = 0.0
    timer: StartTimer = thread_timer

    def seconds(self, command: RunTask, now: float, *, queued: bool) -> float:
        """Return for how long `started` of a body that begins now is held; 0: not at all.

        `queued` was reported of its command or not.
        """
        deadline = (command.start_by if queued else command.ack_by).timestamp()
        return self.after_s if now + self.after_s + CLOCK_MARGIN_S <= deadline else 0.0


AT_ONCE: Final = StartHold()

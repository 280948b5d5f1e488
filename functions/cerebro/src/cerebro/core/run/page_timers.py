"""Page timers: ensure that the timer of a page fires by a given time.

A timer is sent before it is recorded: a crash in between costs one extra timer, never a missing
one. A timer that is due within CLOCK_SKEW_MARGIN_S counts as missing, because the clock of the
handler that answers it may be ahead and it may be answered before the fact is visible. A deadline
that has already passed is armed for PAGE_CHECK_DELAY_S from now, so that all late ones of a page
share one timer.

Invariant: when `arm_page_timer` returns, a timer of the page is under way that is due by then.
"""

from typing import Final

from cerebro.core.effects import HasPageTimer, Now, SendPageTimer, WritePageTimer
from cerebro.core.internal_messages import PageTimer

CLOCK_SKEW_MARGIN_S: Final = 2.0
"""A timer that is due within this time counts as missing; two clocks differ by at most this."""

PAGE_CHECK_DELAY_S: Final = 3.0
"""How long after a failure the page is checked for the end of the run: once per burst."""


async def arm_page_timer(run_id: str, page: int, due: float) -> None:
    """Ensure that a timer fires for this page by `due`.

    If `due` has passed, one within PAGE_CHECK_DELAY_S from now will do.
    """
    now = await Now()
    if due <= now:
        due = now + PAGE_CHECK_DELAY_S
    if await HasPageTimer(run_id, page, now + CLOCK_SKEW_MARGIN_S, due):
        return
    await SendPageTimer(PageTimer(run_id, page, due))
    now = await Now()
    await WritePageTimer(run_id, page, due, now + CLOCK_SKEW_MARGIN_S)


async def arm_page_check(run_id: str, page: int) -> None:
    """Ensure that this page is checked within PAGE_CHECK_DELAY_S from now."""
    now = await Now()
    await arm_page_timer(run_id, page, now + PAGE_CHECK_DELAY_S)

"""Reference of page checks: what a page timer must have led to when its program has ended.

A timer is the safety net of every other handler (docs/rules.md, rule 17): what it found on its page
and what has not moved since, it has continued.

Invariant: nothing here calls `cerebro.core.run`, except for how wide a fan-out may be.
"""

from collections.abc import Iterator, Mapping

from cerebro.core.internal_messages import OverdueCheck, PageTimer
from cerebro.core.model.plan import Plan, page_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun, all_completed
from cerebro.core.run import fan_out
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.unexpected import Unexpected
from cordyna_core.contract.state_updates import RunStateChanged

Facts = Mapping[int, TaskRun]


def check_page(
    message: PageTimer | OverdueCheck,
    handled: HandledInput,
    snapshot: RunSnapshot,
    after: Run,
    facts: Facts,
    *,
    repairs: bool,
) -> None:
    """Compare what was found on a page with what is stored now. Raises Unexpected.

    `repairs`: a timer dispatches what was ready and not dispatched.
    """
    before, tasks = handled.run_before, snapshot.plan.tasks
    if before is None:
        return
    left = {
        index: fact
        for index, fact in handled.facts_before.items()
        if page_of(index) == message.page and facts[index].rev == fact.rev
    }
    live = [tasks[index].name for index, fact in left.items() if fact.is_live]
    was_sent_on = bool(handled.checks)
    if before.status == "cancelled" and live and not was_sent_on:
        raise Unexpected(f"{live} are live in a cancelled run, and a message about it left them")
    if isinstance(message, OverdueCheck):
        return
    # A run that was opened again meanwhile, or cancelled, has another end to publish.
    if before.status == "completed" and before.cause == after.cause == message.id:
        _require_published(handled)
    if not handled.clocks or handled.clocks[0] < message.due:
        return
    if before.status == after.status == "error" and live:
        raise Unexpected(f"{live} are live, and a page timer left the run ended in error")
    if before.status == after.status == "running":
        failed = [tasks[index].name for index, fact in left.items() if fact.failed_permanently]
        if failed and not after.failing:
            raise Unexpected(f"{failed} failed for good, and a page timer left the run not failing")
        is_undisturbed = (before.rev, before.reruns) == (after.rev, after.reruns)
        if repairs and is_undisturbed:
            _check_repaired(message, handled, snapshot.plan, facts)


def _require_published(handled: HandledInput) -> None:
    if not any(isinstance(message, RunStateChanged) for message in handled.published):
        raise Unexpected("a page timer completed the run, and did not publish it again")


def _check_repaired(timer: PageTimer, handled: HandledInput, plan: Plan, facts: Facts) -> None:
    found = handled.facts_before
    # From there on, a message of its own repairs the page.
    sent_on = min(
        (one.start for one in handled.fan_outs if one.page == timer.page), default=plan.size
    )
    target = found.get(plan.target)
    if target is not None and target.is_completed and page_of(plan.target) == timer.page:
        raise Unexpected("the target was completed, and a page timer did not end the run")
    for index in _ready(timer, found, plan):
        if index < sent_on and (index not in facts or facts[index].is_waiting):
            raise Unexpected(f"{plan.tasks[index].name} was ready, and a page timer left it")


def _ready(timer: PageTimer, found: Facts, plan: Plan) -> Iterator[int]:
    """Yield what no handler had dispatched: roots of the page, and what its completions allow.

    Without what is so wide that a message of its own dispatches it.
    """
    for index, task in enumerate(plan.tasks):
        is_waiting = index not in found or found[index].is_waiting
        if not is_waiting or not all_completed(task.awaits, found):
            continue
        narrow = [
            upstream
            for upstream in task.awaits
            if page_of(upstream) == timer.page
            and len(plan.downstream[upstream]) <= fan_out.FAN_OUT_WIDTH
        ]
        if narrow or (not task.awaits and page_of(index) == timer.page):
            yield index

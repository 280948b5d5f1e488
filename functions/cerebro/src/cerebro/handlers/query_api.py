"""Answers: one query of the contract, answered. This table is the whole of what can be asked.

Law: whoever asks amiss, or for what is not there, is told so in the answer; only what fails raises.
"""

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from cerebro.core.declaration.diff import rehearsal
from cerebro.core.model import Plan
from cerebro.core.plan_views import plan_view
from cerebro.core.planning.params import check_params
from cerebro.core.planning.planner import plan_invocation
from cerebro.handlers import queries
from cerebro.shell import Ports
from cordyna_core._version import __version__
from cordyna_core.contract.envelope import problems_of
from cordyna_core.contract.query_api import (
    QUERY,
    Answer,
    AskCerebro,
    AskPlan,
    AskRehearsal,
    AskRun,
    AskRuns,
    AskServers,
    AskTasks,
    CerebroInfo,
    Missing,
    answer_of,
    whole,
)
from cordyna_core.contract.views.runs import PlanView
from cordyna_core.errors import NotFound


def answer(asked: Any, ports: Ports) -> Answer:
    """Answer a query as it came, a JSON object."""
    try:
        asking = QUERY.validate_python(asked)
        return ANSWERS[type(asking)](ports, asking)
    except ValidationError as invalid:
        why = "\n".join(problem.message for problem in problems_of(invalid, "malformed_query"))
        return Answer(
            missing=Missing(
                what="this is not a query.",
                why=why,
                next='ask like {"ask": "run", "run_id": "..."}',
            )
        )
    except NotFound as missing:
        return Answer(missing=Missing(what=missing.what, why=missing.why, next=missing.next))


def _run(ports: Ports, asked: AskRun) -> Answer:
    view = queries.run(ports.store, asked.run_id)
    run = ports.store.read_run(asked.run_id)
    return answer_of(
        whole(view, without="tasks") | {"commands": list(run.commands) if run else []},
        view.tasks,
        asked.start,
    )


def _plan(ports: Ports, asked: AskPlan) -> Answer:
    graph = ports.store.read_graph()
    planned = plan_invocation(graph, asked.task)
    if isinstance(planned, Plan):
        problems = [] if asked.params is None else list(check_params(graph, planned, asked.params))
        view = plan_view(planned).model_copy(update={"problems": problems})
    else:
        view = PlanView(task=asked.task, problems=list(planned))
    return answer_of(whole(view, without="tasks"), view.tasks, asked.start)


def _rehearsal(ports: Ports, asked: AskRehearsal) -> Answer:
    view = rehearsal(ports.store.read_graph(), asked.declared)
    return answer_of(whole(view, without="touched"), view.touched, asked.start)


def _cerebro(ports: Ports, _: AskCerebro) -> Answer:
    generation = ports.store.read_graph().generation
    return Answer(
        head=whole(
            CerebroInfo(version=__version__, contract="1", generation=generation, now=ports.clock())
        )
    )


ANSWERS: Final[dict[type, Callable[[Ports, Any], Answer]]] = {
    AskRun: _run,
    AskPlan: _plan,
    AskRuns: lambda ports, asked: answer_of(
        {}, queries.runs(ports.store, asked.limit), asked.start
    ),
    AskTasks: lambda ports, asked: answer_of(
        {}, queries.tasks(ports.store, ports.clock()), asked.start
    ),
    AskServers: lambda ports, asked: answer_of({}, queries.servers(ports.store), asked.start),
    AskRehearsal: _rehearsal,
    AskCerebro: _cerebro,
}

"""Query API: the table of all queries, and the answer to one of them.

Invariant: an invalid query or an unknown name gives an answer with `missing`, never an exception.
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
from cordyna_core.contract.views.graph import PlanView
from cordyna_core.errors import NotFound


def answer(body: Any, ports: Ports) -> Answer:
    """Answer a query, a decoded JSON object."""
    try:
        query = QUERY.validate_python(body)
        return ANSWERS[type(query)](ports, query)
    except ValidationError as invalid:
        why = "\n".join(problem.message for problem in problems_of(invalid, "malformed_query"))
        return Answer(
            missing=Missing(
                what="the query is not valid.",
                why=why,
                next='send a query such as {"ask": "run", "run_id": "..."}',
            )
        )
    except NotFound as missing:
        return Answer(missing=Missing(what=missing.what, why=missing.why, next=missing.next))


def _run(ports: Ports, query: AskRun) -> Answer:
    view = queries.run(ports.store, query.run_id)
    run = ports.store.read_run(query.run_id)
    return answer_of(
        whole(view, without="tasks") | {"commands": list(run.commands) if run else []},
        view.tasks,
        query.start,
    )


def _plan(ports: Ports, query: AskPlan) -> Answer:
    graph = ports.store.read_graph()
    planned = plan_invocation(graph, query.task)
    if isinstance(planned, Plan):
        problems = [] if query.params is None else list(check_params(graph, planned, query.params))
        view = plan_view(planned).model_copy(update={"problems": problems})
    else:
        view = PlanView(task=query.task, problems=list(planned))
    return answer_of(whole(view, without="tasks"), view.tasks, query.start)


def _rehearsal(ports: Ports, query: AskRehearsal) -> Answer:
    view = rehearsal(ports.store.read_graph(), query.declared)
    return answer_of(whole(view, without="touched"), view.touched, query.start)


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
    AskRuns: lambda ports, query: answer_of(
        {}, queries.runs(ports.store, query.limit), query.start
    ),
    AskTasks: lambda ports, query: answer_of(
        {}, queries.tasks(ports.store, ports.clock()), query.start
    ),
    AskServers: lambda ports, query: answer_of({}, queries.servers(ports.store), query.start),
    AskRehearsal: _rehearsal,
    AskCerebro: _cerebro,
}

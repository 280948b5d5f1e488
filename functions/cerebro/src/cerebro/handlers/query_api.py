"""Query API: the table of all queries, and the answer to one of them.

Invariant: an invalid query or an unknown name gives an answer with `missing`, never an exception.
"""

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from cerebro.core.declaration.diff import rehearsal
from cerebro.handlers import fact_queries, incident_queries, queries
from cerebro.shell import Ports
from cordyna_core.contract.envelope import problems_of
from cordyna_core.contract.query_api import (
    QUERY,
    Answer,
    AskCerebro,
    AskFacts,
    AskIncidents,
    AskPlan,
    AskRehearsal,
    AskRun,
    AskRuns,
    AskServers,
    AskStructure,
    AskTaskRun,
    AskTasks,
    Missing,
    answer_page,
    full_json,
)
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
    return answer_page(
        full_json(view, without="tasks") | {"commands": list(run.commands) if run else []},
        view.tasks,
        query.start,
    )


def _plan(ports: Ports, query: AskPlan) -> Answer:
    view = queries.plan(ports.store, query.task, query.params)
    return answer_page(full_json(view, without="tasks"), view.tasks, query.start)


def _structure(ports: Ports, query: AskStructure) -> Answer:
    return Answer(head=full_json(fact_queries.structure(ports.store, query.run_id)))


def _facts(ports: Ports, query: AskFacts) -> Answer:
    cursor = f"{ports.clock():.3f}"
    return Answer(head=full_json(fact_queries.facts(ports.store, query.run_id, cursor=cursor)))


def _task_run(ports: Ports, query: AskTaskRun) -> Answer:
    return Answer(head=full_json(fact_queries.task_run(ports.store, query.run_id, query.task)))


def _rehearsal(ports: Ports, query: AskRehearsal) -> Answer:
    view = rehearsal(ports.store.read_graph(), query.declared)
    return answer_page(full_json(view, without="touched"), view.touched, query.start)


def _cerebro(ports: Ports, _: AskCerebro) -> Answer:
    return Answer(head=full_json(queries.cerebro(ports.store, ports.clock())))


ANSWERS: Final[dict[type, Callable[[Ports, Any], Answer]]] = {
    AskRun: _run,
    AskPlan: _plan,
    AskStructure: _structure,
    AskFacts: _facts,
    AskTaskRun: _task_run,
    AskRuns: lambda ports, query: answer_page(
        {}, queries.runs(ports.store, query.limit, query.criteria), query.start
    ),
    AskTasks: lambda ports, query: answer_page(
        {}, queries.tasks(ports.store, ports.clock()), query.start
    ),
    AskServers: lambda ports, query: answer_page({}, queries.servers(ports.store), query.start),
    AskIncidents: lambda ports, query: answer_page(
        {}, incident_queries.incidents(ports.store, closed=query.closed), query.start
    ),
    AskRehearsal: _rehearsal,
    AskCerebro: _cerebro,
}

"""Queries: reads cerebro's query function by the query API of the contract.

Invariant: a long answer is read page by page and joined here.
"""

import json
from collections.abc import Sequence
from typing import Any

from cordyna_cli.aws.aws_session import AwsSession
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.query_api import (
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
    CerebroInfo,
    Query,
    collect_pages,
)
from cordyna_core.contract.views.facts import RunFacts, RunStructure, TaskRunFacts
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.incidents import IncidentView
from cordyna_core.contract.views.rehearsal import RehearsalView
from cordyna_core.contract.views.runs import RunCriteria, RunSummary, RunView
from cordyna_core.errors import NotFound, ServiceError


class QueryClient:
    """Views, as cerebro answers them.

    Every method may raise NotFound, AccessError, ServiceError.
    """

    def __init__(self, session: AwsSession, function: str) -> None:
        self._session, self._function = session, function

    def run(self, run_id: str) -> tuple[RunView, tuple[str, ...]]:
        """Return a run, and the ids of the commands that were applied to it."""
        answer = self._whole(AskRun(run_id=run_id))
        return RunView.model_validate({**answer.head, "tasks": answer.rows}), tuple(
            answer.head.get("commands", ())
        )

    def plan(self, task: str, params: JsonObject | None = None) -> PlanView:
        """Return the plan, with the problems of `params` where they are given."""
        answer = self._whole(AskPlan(task=task, params=params))
        return PlanView.model_validate({**answer.head, "tasks": answer.rows})

    def rehearsal(self, declared: Sequence[ServerDeclared]) -> RehearsalView:
        answer = self._whole(AskRehearsal(declared=list(declared)))
        return RehearsalView.model_validate({**answer.head, "touched": answer.rows})

    def structure(self, run_id: str) -> RunStructure:
        return RunStructure.model_validate(self._whole(AskStructure(run_id=run_id)).head)

    def facts(self, run_id: str) -> RunFacts:
        return RunFacts.model_validate(self._whole(AskFacts(run_id=run_id)).head)

    def task_run(self, run_id: str, task: str) -> TaskRunFacts:
        return TaskRunFacts.model_validate(self._whole(AskTaskRun(run_id=run_id, task=task)).head)

    def runs(self, limit: int, criteria: RunCriteria) -> list[RunSummary]:
        rows = self._whole(AskRuns(limit=limit, criteria=criteria)).rows
        return [RunSummary.model_validate(row) for row in rows]

    def tasks(self) -> list[TaskInfo]:
        return [TaskInfo.model_validate(row) for row in self._whole(AskTasks()).rows]

    def servers(self) -> list[ServerInfo]:
        return [ServerInfo.model_validate(row) for row in self._whole(AskServers()).rows]

    def incidents(self, *, closed: bool = False) -> list[IncidentView]:
        rows = self._whole(AskIncidents(closed=closed)).rows
        return [IncidentView.model_validate(row) for row in rows]

    def cerebro(self) -> CerebroInfo:
        return CerebroInfo.model_validate(self._whole(AskCerebro()).head)

    def _whole(self, query: Query) -> Answer:
        return collect_pages(lambda start: self._ask(query.model_copy(update={"start": start})))

    def _ask(self, query: Query) -> Answer:
        response = self._session.call(
            "lambda",
            "invoke",
            FunctionName=self._function,
            # Without what is None: a cerebro that is older refuses a field that it does not know.
            Payload=query.model_dump_json(exclude_none=True).encode(),
        )
        payload: Any = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            why = (
                f"{payload.get('errorType')}: {payload.get('errorMessage')}"
                if isinstance(payload, dict)
                else str(payload)
            )
            raise ServiceError(
                "cerebro's query function failed.",
                why=why,
                next="`dyna doctor` checks everything; the log of the function has details",
            )
        answer = Answer.model_validate(payload)
        if answer.missing is not None:
            raise NotFound(answer.missing.what, why=answer.missing.why, next=answer.missing.next)
        return answer

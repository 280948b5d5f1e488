"""Asking: cerebro's query function, asked with queries of the contract.

Law: a long answer is asked for piece by piece, and put together here.
"""

import json
from collections.abc import Sequence
from typing import Any

from cordyna_cli.aws.aws_session import AwsSession
from cordyna_core.contract.base import JsonObject
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.query_api import (
    Answer,
    AskCerebro,
    AskPlan,
    AskRehearsal,
    AskRun,
    AskRuns,
    AskServers,
    AskTasks,
    CerebroInfo,
    Query,
    collected,
)
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.rehearsal import RehearsalView
from cordyna_core.contract.views.runs import RunSummary, RunView
from cordyna_core.errors import NotFound, ServiceError


class QueryClient:
    """Views, as cerebro answers them.

    Every method may raise NotFound, AccessError, ServiceError.
    """

    def __init__(self, cloud: AwsSession, function: str) -> None:
        self._cloud, self._function = cloud, function

    def run(self, run_id: str) -> tuple[RunView, tuple[str, ...]]:
        """A run, and the ids of the commands that were applied to it."""
        answer = self._whole(AskRun(run_id=run_id))
        return RunView.model_validate({**answer.head, "tasks": answer.rows}), tuple(
            answer.head.get("commands", ())
        )

    def plan(self, task: str, params: JsonObject | None = None) -> PlanView:
        """Also with the problems of `params`, where they are given."""
        answer = self._whole(AskPlan(task=task, params=params))
        return PlanView.model_validate({**answer.head, "tasks": answer.rows})

    def rehearsal(self, declared: Sequence[ServerDeclared]) -> RehearsalView:
        answer = self._whole(AskRehearsal(declared=list(declared)))
        return RehearsalView.model_validate({**answer.head, "touched": answer.rows})

    def runs(self, limit: int) -> list[RunSummary]:
        return [RunSummary.model_validate(row) for row in self._whole(AskRuns(limit=limit)).rows]

    def tasks(self) -> list[TaskInfo]:
        return [TaskInfo.model_validate(row) for row in self._whole(AskTasks()).rows]

    def servers(self) -> list[ServerInfo]:
        return [ServerInfo.model_validate(row) for row in self._whole(AskServers()).rows]

    def cerebro(self) -> CerebroInfo:
        return CerebroInfo.model_validate(self._whole(AskCerebro()).head)

    def _whole(self, query: Query) -> Answer:
        return collected(lambda start: self._ask(query.model_copy(update={"start": start})))

    def _ask(self, query: Query) -> Answer:
        answered = self._cloud.call(
            "lambda",
            "invoke",
            FunctionName=self._function,
            Payload=query.model_dump_json().encode(),
        )
        said: Any = json.loads(answered["Payload"].read())
        if "FunctionError" in answered:
            why = (
                f"{said.get('errorType')}: {said.get('errorMessage')}"
                if isinstance(said, dict)
                else str(said)
            )
            raise ServiceError(
                "cerebro's query function failed.",
                why=why,
                next="`dyna doctor` looks at everything; its log says more",
            )
        answer = Answer.model_validate(said)
        if answer.missing is not None:
            raise NotFound(answer.missing.what, why=answer.missing.why, next=answer.missing.next)
        return answer

"""Decisions: the outcomes of declarations, as tests read them."""

from typing import Any

from cerebro.core.declaration.decide import (
    Accepted,
    Batch,
    Outcome,
    Rejected,
)
from cerebro.core.graph.graph import Graph
from cordyna_core.contract.base import Problem

NOTHING = Graph.of({})
CRON: dict[str, Any] = {"cron": "0 6 * * *"}


def problems(outcome: Outcome) -> tuple[Problem, ...]:
    assert isinstance(outcome, Rejected), outcome
    return outcome.problems


def codes(outcome: Outcome) -> list[str]:
    return [problem.code for problem in problems(outcome)]


def accepted(outcome: Outcome) -> Graph:
    assert isinstance(outcome, Accepted), outcome
    return outcome.graph


def outcomes(batch: Batch) -> dict[str, Outcome]:
    return {declaration.server: outcome for declaration, outcome in batch.outcomes}

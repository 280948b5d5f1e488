"""Views of facts: what never changes about a run, and what does, as columns of numbers.

Invariant: a run of 10,000 tasks fits into a small answer. What can be derived from structure and
facts (which tasks are blocked) is left to the reader.
"""

from datetime import datetime

from pydantic import Field

from cordyna_core.contract.base import Part, no_items
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.views.runs import RunView


class RunStructure(Part):
    """A plan as columns, one entry a task, in topological order. Joins are left out."""

    plan_id: str
    target: str
    servers: list[str]
    owners: list[str]
    task: list[str]
    server: list[int] = Field(description="Index into `servers`.")
    owner: list[int] = Field(description="Index into `owners`; -1: no owner is declared.")
    level: list[int]
    upstream: list[list[int]] = Field(description="Indexes of the direct upstreams.")


class FactColumns(Part):
    """Facts as columns, one entry a task that has a fact.

    `sent` is in ms since the run's `created_at`; `queued`, `started`, `ended` and `deadline` are in
    ms since `sent`. `word` is an index into `words`. `before` lists earlier attempts, each as
    [attempt, sent, queued, started, ended, word].
    """

    task: list[int] = Field(default_factory=no_items, description="Index into the structure.")
    word: list[int] = Field(default_factory=no_items)
    attempt: list[int] = Field(default_factory=no_items)
    sent: list[int | None] = Field(default_factory=no_items)
    queued: list[int | None] = Field(default_factory=no_items)
    started: list[int | None] = Field(default_factory=no_items)
    ended: list[int | None] = Field(default_factory=no_items)
    deadline: list[int | None] = Field(default_factory=no_items)
    before: list[list[list[int | None]]] = Field(default_factory=no_items)


class RunFacts(Part):
    """What changes of a run, read at one moment.

    `cursor` names that moment: facts that changed after it are what a later reading adds. `excerpt`
    is the run with the tasks that explain its state, and no others.
    """

    cursor: str
    plan_id: str
    size: int = Field(description="Tasks of the plan, joins left out.")
    key: str | None = None
    ended_at: datetime | None = None
    counts: dict[str, int] = Field(description="Tasks by the word of their mark.")
    words: list[tuple[str, str | None]] = Field(description="(state, reason) of `columns.word`.")
    columns: FactColumns
    excerpt: RunView


class TaskRunFacts(Part):
    """One task run: the run with that task first, the task that holds it up, and no others."""

    excerpt: RunView
    downstream: list[str]
    params: JsonObject = Field(default_factory=dict)

"""Run columns: a run as columns of small numbers, which a page reads at once.

Invariant: what is numbered or timed close together is written as the difference: ten thousand tasks
are a third of the bytes on the wire, and nothing is lost.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from pydantic import Field

from cordyna_console.answer_base import ApiAnswer
from cordyna_core.contract.views.facts import FactColumns, RunStructure


class StructureAnswer(ApiAnswer):
    """A plan as columns, one entry a task, in topological order. Joins are left out."""

    plan_id: str
    target: str
    servers: list[str]
    owners: list[str]
    task: list[str]
    server: list[int] = Field(description="Index into `servers`.")
    owner: list[int] = Field(description="Index into `owners`; -1: no owner is declared.")
    level: list[int]
    upstream_steps: list[list[int]] = Field(
        description="The direct upstreams of each task: the first as its distance before the task, "
        "each other as its distance before the one named before it."
    )

    @classmethod
    def of(cls, structure: RunStructure) -> "StructureAnswer":
        """Return the same structure."""
        fields = {name: getattr(structure, name) for name in RunStructure.model_fields}
        upstream: list[list[int]] = fields.pop("upstream")
        steps = [[a - b for a, b in pairwise([at, *ups])] for at, ups in enumerate(upstream)]
        # Validated where it was made.
        return cls.model_construct(upstream_steps=steps, **fields)

    @property
    def upstream(self) -> list[list[int]]:
        """The indexes."""
        return [
            list(accumulate(steps, lambda before, step: before - step, initial=at))[1:]
            for at, steps in enumerate(self.upstream_steps)
        ]


class FactRows(ApiAnswer):
    """Facts as columns, one entry a task, in the order of the structure.

    Times are in ms: `queued`, `started` and `deadline` since the task was sent. `word` is an index
    into `words`. `before` lists earlier attempts, each as [attempt, sent, queued, started, ended,
    word], with `sent` since the run's `created_at` and the others since `sent`.
    """

    step: list[int] = Field(
        description="Index of the task in the structure, as the difference from the one before. "
        "The first one is its index."
    )
    word: list[int]
    attempt: list[int]
    sent_step: list[int | None] = Field(
        description="When it was sent, as the difference from the one before that was sent. "
        "The first one is since the run's `created_at`."
    )
    queued: list[int | None]
    started: list[int | None]
    ran: list[int | None] = Field(
        description="From its start to its end; from its sending where it did not start."
    )
    deadline: list[int | None]
    before: list[list[list[int | None]]]

    @classmethod
    def of(cls, columns: FactColumns) -> "FactRows":
        """Return the same facts. Their tasks are in the order of the structure."""
        # Validated where they were made: ten thousand rows are not examined again.
        return cls.model_construct(
            step=[b - a for a, b in pairwise([0, *columns.task])],
            word=columns.word,
            attempt=columns.attempt,
            sent_step=_steps(columns.sent),
            queued=columns.queued,
            started=columns.started,
            ran=[
                None if ended is None else ended - (started or 0)
                for ended, started in zip(columns.ended, columns.started, strict=True)
            ],
            deadline=columns.deadline,
            before=columns.before,
        )

    @property
    def tasks(self) -> list[int]:
        """The indexes."""
        return list(accumulate(self.step))

    @property
    def sent(self) -> Iterable[int | None]:
        """When each was sent, in ms since the run's `created_at`."""
        at = 0
        for step in self.sent_step:
            at += step or 0
            yield None if step is None else at

    @property
    def ended(self) -> Iterable[int | None]:
        """When each ended, in ms since it was sent."""
        for ran, started in zip(self.ran, self.started, strict=True):
            yield None if ran is None else ran + (started or 0)


def _steps(moments: Sequence[int | None]) -> list[int | None]:
    steps: list[int | None] = []
    before = 0
    for moment in moments:
        steps.append(None if moment is None else moment - before)
        before = before if moment is None else moment
    return steps

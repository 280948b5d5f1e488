"""What if: views of what has not happened: a declaration that is rehearsed, a run that is decided once more.

Law: nothing is changed by looking. The JSON of a rehearsal and of a replay is a published format.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from cordyna_core.contract.base import Part, Problem
from cordyna_core.contract.ids import Name


class Difference(Part):
    """One thing that is not the same; a side that has nothing of the kind is null."""

    what: str
    before: Any = None
    after: Any = None


class TaskChange(Part):
    """One declared task that the graph would gain or lose, or that would be declared otherwise (`fields`)."""

    task: Name
    server: Name
    change: Literal["added", "removed", "changed"]
    owner: str | None = None
    fields: list[Difference] = Field(default_factory=list)


class EdgeChange(Part):
    """`task` would need `upstream`, or would not need it any more."""

    change: Literal["added", "removed"]
    upstream: Name
    task: Name


class CronChange(Part):
    """When a task runs by itself, as it was and as it would be; null: it does not."""

    task: Name
    server: Name
    before: str | None = None
    after: str | None = None


class TouchedTask(Part):
    """A task of a server that does not declare here, which would all the same not be invoked as before.

    `effect`, the gravest first: it could not be invoked any more; it could be invoked at last; other tasks would run for
    it; the same tasks would, one of them declared otherwise. `path`: from it to what makes the difference.
    """

    task: Name
    server: Name
    effect: Literal["unresolved", "resolved", "closure", "declaration"]
    owner: str | None = None
    cron: str | None = None
    path: list[str] = Field(default_factory=list)


class MissingUpstream(Part):
    """A name that nobody would declare, and the tasks that would newly need it, or need it in vain."""

    upstream: Name
    needed_by: list[str]


class DeclarationView(Part):
    """What would become of one server's declaration."""

    server: Name
    outcome: Literal["accepted", "same", "older_revision", "rejected"]
    problems: list[Problem] = Field(default_factory=list)


class RehearsalView(Part):
    """What declaring would change. Of a rejected declaration, what it would change if nothing stood against it."""

    generation: int = Field(description="Of the graph as it is.")
    declarations: list[DeclarationView] = Field(default_factory=list)
    tasks: list[TaskChange] = Field(default_factory=list)
    edges: list[EdgeChange] = Field(default_factory=list)
    crons: list[CronChange] = Field(default_factory=list)
    missing: list[MissingUpstream] = Field(default_factory=list)
    touched: list[TouchedTask] = Field(default_factory=list)

    @property
    def problems(self) -> list[Problem]:
        """Every problem of every declaration."""
        return [problem for each in self.declarations for problem in each.problems]


class Divergence(Part):
    """One thing in a run that would go differently.

    `how`: it would not be decided any more, newly be decided, be decided otherwise or at another time (`differences`),
    or the task or the run would stand otherwise at the end. `at`: when it was decided, or would be.
    """

    how: Literal["missing", "new", "otherwise", "time", "end"]
    what: str
    task: Name | None = None
    attempt: int | None = None
    at: datetime | None = None
    differences: list[Difference] = Field(default_factory=list)


class ReplayView(Part):
    """A recorded run decided once more: how much was heard and decided, and where it would go differently, the first first."""

    run_id: str
    task: Name
    heard: int
    decided: int
    divergences: list[Divergence] = Field(default_factory=list)

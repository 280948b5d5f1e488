"""Views of a rehearsal: what a declaration would change if it were made now.

Invariant: a rehearsal changes nothing. The JSON of RehearsalView is a published format.
"""

from typing import Any, Literal

from pydantic import Field

from cordyna_core.contract.base import Part, Problem, no_items
from cordyna_core.contract.ids import Name
from cordyna_core.contract.notices import Notice

Effect = Literal[
    "unresolved", "not_allowed", "cron_needs_params", "resolved", "closure", "declaration"
]


class Difference(Part):
    """One value that differs; null on a side that has no such value."""

    what: str
    before: Any = None
    after: Any = None


class TaskChange(Part):
    """A declared task that would be added, removed, or declared with other values (`fields`)."""

    task: Name
    server: Name
    change: Literal["added", "removed", "changed"]
    owner: str | None = None
    fields: list[Difference] = Field(default_factory=no_items)


class EdgeChange(Part):
    """`task` would need `upstream`, or would need it no longer."""

    change: Literal["added", "removed"]
    upstream: Name
    task: Name


class CronChange(Part):
    """The cron of a task before and after; null: the task has none."""

    task: Name
    server: Name
    before: str | None = None
    after: str | None = None


class TouchedTask(Part):
    """A task of another server whose invocation this declaration would change.

    `effect`, the gravest first: `unresolved`, it could not be invoked any more; `not_allowed`,
    neither, because its server is not among the consumers of a task that it needs;
    `cron_needs_params`, its cron would be refused, because a tick has no params; `resolved`, it
    could be invoked again; `closure`, other tasks would run for it; `declaration`, the same tasks
    would, one of them with another declaration. `path`: from it to what makes the difference.
    """

    task: Name
    server: Name
    effect: Effect
    owner: str | None = None
    cron: str | None = None
    path: list[str] = Field(default_factory=no_items)


class UnresolvedUpstreamView(Part):
    """A name that no server would declare, and the tasks that would need it (newly, or still)."""

    upstream: Name
    needed_by: list[str]


class DeclarationView(Part):
    """The outcome of one server's declaration."""

    server: Name
    outcome: Literal["accepted", "same", "older_revision", "rejected"]
    problems: list[Problem] = Field(default_factory=no_items)


class RehearsalView(Part):
    """What declaring would change; of a rejected declaration, what it would change otherwise."""

    generation: int = Field(description="Of the present graph.")
    declarations: list[DeclarationView] = Field(default_factory=no_items)
    tasks: list[TaskChange] = Field(default_factory=no_items)
    edges: list[EdgeChange] = Field(default_factory=no_items)
    crons: list[CronChange] = Field(default_factory=no_items)
    missing: list[UnresolvedUpstreamView] = Field(default_factory=no_items)
    touched: list[TouchedTask] = Field(default_factory=no_items)
    notices: list[Notice] = Field(
        default_factory=no_items, description="Of the edges from and to tasks of these servers."
    )

    @property
    def problems(self) -> list[Problem]:
        """Every problem of every declaration."""
        return [problem for declaration in self.declarations for problem in declaration.problems]

"""Owned tasks: what a server declared, and the few of its tasks for which a graph is searched.

Invariant: features belong to one declaration. They are found once, when a graph is first made with
it, and the next graphs share them.
"""

from dataclasses import dataclass
from typing import NamedTuple

from cordyna_core.contract.access import may_consume
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.secret_params import has_secrets, secret_names


class OwnedTask(NamedTuple):
    """A task and the server that owns it."""

    server: str
    task: TaskDeclaration

    def may_be_used_by(self, server: str) -> bool:
        """Return whether a task of `server` may depend on this one."""
        return may_consume(server, self.server, self.task.consumers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The tasks of one declaration that differ from most.

    Fields:
        restricted: on which not every server may depend.
        deprecated: of which the owners of their users are notified.
        typed: that say of which type their output is.
        expecting: that expect a type of the output of an upstream.
        expected: upstreams of whose output some edge expects a type.
        requiring: with a parameter that has no default.
        taking_secrets: of which a parameter is a secret.
        secret_names: of their parameters, and of fields within them, that are secrets.
        wanted_fresh: upstreams of which some edge accepts a reused result.
    """

    crons: tuple[OwnedTask, ...]
    restricted: frozenset[str]
    deprecated: frozenset[str]
    typed: frozenset[str]
    expecting: frozenset[str]
    expected: frozenset[str]
    requiring: frozenset[str]
    taking_secrets: frozenset[str]
    secret_names: frozenset[str]
    wanted_fresh: frozenset[str]


def features_of(declared: ServerDeclared) -> Features:
    """Return the features of one declaration."""
    tasks = declared.tasks
    schemas = {task.name: task.params_schema for task in tasks if task.params_schema}
    edges = [
        (task.name, edge) for task in tasks for edge in task.upstream if not isinstance(edge, str)
    ]
    secret = {name: schema for name, schema in schemas.items() if has_secrets(schema)}
    return Features(
        crons=tuple([OwnedTask(declared.server, task) for task in tasks if task.cron is not None]),
        restricted=frozenset([task.name for task in tasks if task.consumers is not None]),
        deprecated=frozenset([task.name for task in tasks if task.deprecated is not None]),
        typed=frozenset([task.name for task in tasks if task.output_schema is not None]),
        expecting=frozenset(name for name, edge in edges if edge.expects),
        expected=frozenset(edge.task for _, edge in edges if edge.expects),
        requiring=frozenset(name for name, schema in schemas.items() if schema.get("required")),
        taking_secrets=frozenset(secret),
        secret_names=frozenset[str]().union(*map(secret_names, secret.values())),
        wanted_fresh=frozenset(edge.task for _, edge in edges if edge.within_s is not None),
    )

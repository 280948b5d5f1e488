"""Versions: the content hashes that name what is accepted.

Invariant: the same content has the same version, on every engine and in every process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cerebro.core.graph.owned_task import OwnedTask
from cordyna_core.contract.declaration import FIELDS_WITHOUT_EFFECT_ON_RESULTS, ServerDeclared
from cordyna_core.contract.ids import content_id


@dataclass(frozen=True, slots=True)
class Head:
    """What is accepted: for each server the version (content hash) of its declaration.

    Written as one item, conditionally.
    """

    generation: int = 0
    servers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Versions:
    """Hashes are slow to compute: they are computed when needed, and shared with the next graph."""

    servers: dict[str, str]
    tasks: dict[str, str]


def version_of(declared: ServerDeclared) -> str:
    """Return the hash of a declaration's content, with its revision: it names what is accepted."""
    return version_of_content(content_of(declared))


def version_of_content(content: str) -> str:
    """Return the hash of what `content_of` returned."""
    return content_id("declaration", content)


def content_of(declared: ServerDeclared) -> str:
    """Return the declaration as JSON without its `meta`, defaults left out."""
    return declared.model_dump_json(exclude_defaults=True, exclude={"meta"})


def version_of_task(owned: OwnedTask) -> str:
    """Return the hash of a task's server and declaration: a result of another is not reused."""
    effective = owned.task.model_dump_json(
        exclude_defaults=True, exclude=set(FIELDS_WITHOUT_EFFECT_ON_RESULTS)
    )
    return content_id("task", owned.server, effective)

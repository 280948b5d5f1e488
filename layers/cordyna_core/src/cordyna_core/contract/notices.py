"""Notices: what the owners on both sides of an edge should know, though it refuses nothing.

Invariant: a notice is derived from what is declared, so it is gone as soon as its cause is.
"""

from typing import Literal

from pydantic import Field

from cordyna_core.contract.base import Part, no_items
from cordyna_core.contract.ids import Name

NoticeCode = Literal["not_allowed", "breaks", "cannot_tell", "deprecated"]


class Notice(Part):
    """One edge, `task` needs `upstream`, with the owner of each side.

    `code`, the gravest first: `not_allowed`, the server of `task` is not among the consumers;
    `breaks`, the output of `upstream` does not suit what `task` expects; `cannot_tell`, whether it
    does is not decided; `deprecated`, `upstream` is.
    """

    code: NoticeCode
    task: Name
    server: Name
    owner: str | None = None
    upstream: Name
    upstream_server: Name
    upstream_owner: str | None = None
    message: str
    reasons: list[str] = Field(default_factory=no_items)

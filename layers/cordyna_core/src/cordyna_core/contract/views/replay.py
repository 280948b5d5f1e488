"""Views of a replay: a recorded run that is decided once more, and where it would go differently.

Invariant: a replay changes nothing. The JSON of ReplayView is a published format.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from cordyna_core.contract.base import Part, no_items
from cordyna_core.contract.ids import Name
from cordyna_core.contract.views.rehearsal import Difference


class Divergence(Part):
    """One decision of a run, or its end, that would differ.

    `how`: the decision is `missing` in the replay, `new` in it, made `otherwise` or at another
    `time` (see `differences`); `end`: a task or the run would end in another state.
    `at`: when it was decided, or would be.
    """

    how: Literal["missing", "new", "otherwise", "time", "end"]
    what: str
    task: Name | None = None
    attempt: int | None = None
    at: datetime | None = None
    differences: list[Difference] = Field(default_factory=no_items)


class ReplayView(Part):
    """How many events a recorded run received and caused, and every divergence, the first first."""

    run_id: str
    task: Name
    heard: int = Field(description="Events that were received.")
    decided: int = Field(description="Events that cerebro published.")
    divergences: list[Divergence] = Field(default_factory=no_items)

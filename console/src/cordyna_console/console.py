"""Console: what every answer is made from: the engine, its operations, a clock, and who asks."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from cordyna_cli.engine import Engine
from cordyna_cli.operations import Operations, operations_of
from cordyna_cli.wording.failures import failures
from cordyna_cli.wording.senders import named_sender
from cordyna_console.bus_reports import BusReports
from cordyna_console.models import RunRow
from cordyna_console.recent_runs import RecentRuns
from cordyna_core._version import __version__
from cordyna_core.contract.views.facts import RunFacts
from cordyna_core.contract.views.runs import RunSummary
from cordyna_core.errors import AccessError, ServiceError

Permission = Literal["yes", "no", "unknown"]
Right = Literal["invoke", "operate"]

ROWS_KEPT: Final = 2_000
ROW_KEPT_S: Final = 300.0
"""A run that has ended may still change (a heal changes its state): rows are made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleIdentity:
    """Which cerebro is shown, and to whom.

    `command`: how `dyna` is called for the same. `live`: whether changes are streamed or asked for.
    `place`: account, region and bus of a cerebro on AWS, which addresses of the page name.
    `can`: what is known to be allowed from the start.
    """

    engine: Literal["embedded", "aws"]
    where: str
    command: str
    by: str
    live: Literal["sse", "poll"] = "sse"
    place: str | None = None
    version: str = __version__
    can: Mapping[Right, Permission] = field(default_factory=dict)


@dataclass(slots=True)
class Console:
    """Shared by all requests. `now`: UTC. `wait_s`: how long a command is waited for."""

    engine: Engine
    identity: ConsoleIdentity
    now: Callable[[], datetime]
    wait_s: float = 30.0
    reports: BusReports = field(default_factory=BusReports)
    recent: RecentRuns = field(default_factory=RecentRuns)
    _tried: dict[Right, Permission] = field(default_factory=dict)
    _rows: OrderedDict[tuple[str, str], tuple[datetime, RunRow]] = field(
        default_factory=OrderedDict
    )

    @property
    def has_cheap_events(self) -> bool:
        """Whether the events of the bus are read as they are written, and cost nothing.

        On AWS their log comes late and is charged by what is searched: it is read only when a
        person asks for it, and seldom.
        """
        return self.identity.engine == "embedded"

    @property
    def operations(self) -> Operations:
        """Raises UserError for an engine that has none."""
        return operations_of(self.engine, "doctor")

    def permission(self, right: Right) -> Permission:
        """Return what is known to be allowed.

        A home on this disk is its user's; else it is what was tried.
        """
        if self.identity.engine == "embedded":
            return "yes"
        return self.identity.can.get(right) or self._tried.get(right, "unknown")

    def deleted_home(self) -> Path | None:
        """Return the folder of the engine, if there was one and it is gone."""
        if self.identity.engine != "embedded":
            return None
        folder = self.engine.location().folder
        return folder if folder is not None and not folder.exists() else None

    @contextmanager
    def trying(self, right: Right) -> Iterator[None]:
        """Remember whether what is done inside was allowed. Raises whatever it raises.

        Raises ServiceError where the home was deleted: what this process wrote would be lost.
        """
        lost = self.deleted_home()
        if lost is not None:
            raise ServiceError(
                f"the home {lost} was deleted.",
                why="this process still has its files open, and what it writes is lost",
                next="end this process, and start `dyna dev` again",
            )
        try:
            yield
        except AccessError:
            self._tried[right] = "no"
            raise
        self._tried[right] = "yes"

    def row(self, run: RunSummary) -> RunRow:
        """Return one run in a list.

        Rows of runs that have ended are kept for a while. Raises NotFound.
        """
        key, now = (run.run_id, run.state), self.now()
        kept = self._rows.get(key)
        if kept is not None and (now - kept[0]).total_seconds() < ROW_KEPT_S:
            return kept[1]
        row = self.row_of(self.engine.facts(run.run_id))
        if row.state in ("completed", "error"):
            self._rows[key] = (now, row)
            while len(self._rows) > ROWS_KEPT:
                self._rows.popitem(last=False)
        return row

    def row_of(self, facts: RunFacts) -> RunRow:
        """Return a run as a row, from its facts."""
        run = facts.excerpt
        target = next((task for task in run.tasks if task.task == run.task), None)
        return RunRow(
            run_id=run.run_id,
            task=run.task,
            state=run.state,
            cancelled=run.cancelled,
            created_at=run.created_at,
            ended_at=facts.ended_at,
            scheduled_at=run.scheduled_at,
            server=target.server if target else None,
            owner=target.owner if target else None,
            labels=run.labels,
            by=named_sender(run.source),
            params=run.params,
            counts=facts.counts,
            root_cause=next(iter(failures(run)), None),
        )

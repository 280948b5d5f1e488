"""Health checks: everything that has to work before a task can run on AWS.

Invariant: one failing check does not stop the others.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from cordyna_cli.aws.aws_session import AwsSession
from cordyna_cli.aws.dead_letters import DeadLetters
from cordyna_cli.aws.discovery import CerebroLocation
from cordyna_cli.aws.queries import QueryClient
from cordyna_cli.aws.quotas import QUOTAS, UNRESERVED_MIN, Quota, shortfall, value_of
from cordyna_cli.operations import Finding
from cordyna_core._version import __version__
from cordyna_core.errors import AccessError, UserError
from cordyna_core.ports import Clock

CLOCK_SKEW_MAX_S: Final = 2.0
"""Two clocks that differ by more spoil the times that are shown, and cerebro's own clocks."""

_QUERY_FUNCTION: Final = "query function"


class HealthChecks:
    """The checks of `dyna doctor`, in the order in which what they check is needed."""

    def __init__(
        self,
        session: AwsSession,
        location: CerebroLocation,
        queries: QueryClient,
        dead_letters: DeadLetters,
        clock: Clock,
    ) -> None:
        self._session, self._location, self._queries = session, location, queries
        self._dead_letters, self._clock = dead_letters, clock

    def run(self) -> Sequence[Finding]:
        """Run every check. Raises AccessError, ServiceError without working credentials."""
        return list(self._findings())

    def _findings(self) -> Iterator[Finding]:
        identity = self._session.call("sts", "get_caller_identity")
        yield Finding("credentials", "well", f"{identity['Arn']}, {self._session.where}")
        stage = f"stage {self._location.stage}, found by its SSM parameters"
        yield Finding("cerebro", "well", stage)
        yield self._guarded("bus", self._bus)
        yield self._guarded(_QUERY_FUNCTION, self._query_function)
        yield self._guarded("versions", self._versions)
        yield self._guarded("clocks", self._clocks)
        for quota in QUOTAS:
            yield self._guarded(quota.name, partial(self._quota, quota))
        yield self._guarded("unreserved Lambda concurrency", self._unreserved)
        yield self._guarded("servers", self._servers)
        yield self._guarded("log of events", self._log)
        yield self._guarded("dead letters", self._dead)

    def _guarded(self, what: str, check: Callable[[str], Finding]) -> Finding:
        try:
            return check(what)
        except UserError as error:
            # Credentials that may only invoke may not read everything; but without the query
            # function nothing works.
            is_minor = isinstance(error, AccessError) and what != _QUERY_FUNCTION
            return Finding(
                what,
                "worth a look" if is_minor else "broken",
                " ".join(filter(None, (error.what, error.why))),
                error.next,
            )

    def _bus(self, what: str) -> Finding:
        self._session.call("events", "describe_event_bus", Name=self._location.bus)
        return Finding(what, "well", self._location.bus)

    def _query_function(self, what: str) -> Finding:
        begin = self._clock()
        info = self._queries.cerebro()
        took_ms = (self._clock() - begin) * 1000
        answer = f"{self._location.query} answered in {took_ms:.0f} ms"
        return Finding(what, "well", f"{answer}; generation {info.generation}")

    def _versions(self, what: str) -> Finding:
        version = self._queries.cerebro().version
        if version == __version__:
            return Finding(what, "well", f"dyna and cerebro are {version}")
        return Finding(
            what,
            "worth a look",
            f"dyna is {__version__}, cerebro is {version}",
            f"pip install 'cordyna-cli[aws]=={version}'",
        )

    def _clocks(self, what: str) -> Finding:
        begin = self._clock()
        cerebro_now = self._queries.cerebro().now
        took_s = self._clock() - begin
        # The answer was made at some moment in between.
        skew_s = max(0.0, abs(cerebro_now - (begin + took_s / 2)) - took_s / 2)
        if skew_s <= CLOCK_SKEW_MAX_S:
            return Finding(what, "well", f"they differ by less than {skew_s + took_s / 2:.1f} s")
        return Finding(
            what,
            "worth a look",
            f"this machine's clock and cerebro's differ by {skew_s:.1f} s",
            "let this machine follow a time server",
        )

    def _quota(self, quota: Quota, what: str) -> Finding:
        if self._session.is_emulator:
            return Finding(what, "well", "not checked: an emulator has no quotas")
        listed: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            page = self._session.call(
                "service-quotas", "list_service_quotas", ServiceCode=quota.service, **token
            )
            listed += page["Quotas"]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        value = value_of(quota, listed)
        found = "not listed" if value is None else f"{value:g}"
        todo = shortfall(quota, value)
        return Finding(what, "worth a look", found, todo) if todo else Finding(what, "well", found)

    def _unreserved(self, what: str) -> Finding:
        if self._session.is_emulator:
            return Finding(what, "well", "not checked: an emulator has no quotas")
        limit = self._session.call("lambda", "get_account_settings")["AccountLimit"]
        free = limit["UnreservedConcurrentExecutions"]
        if free < UNRESERVED_MIN:
            return Finding(
                what, "worth a look", f"{free}", "lower the reservations of other functions"
            )
        return Finding(what, "well", f"{free}")

    def _servers(self, what: str) -> Finding:
        servers = self._queries.servers()
        unwell = [
            f"{info.server} is {info.state}"
            for info in servers
            if info.state not in ("ready", "unknown", "undeclared")
        ]
        if unwell:
            return Finding(what, "worth a look", "; ".join(unwell), "dyna servers")
        if not servers:
            return Finding(
                what,
                "worth a look",
                "no task server has declared anything",
                "deploy one; it declares itself",
            )
        tasks = sum(info.tasks for info in servers)
        return Finding(what, "well", f"{len(servers)}, with {tasks} tasks")

    def _log(self, what: str) -> Finding:
        group = self._location.events_log
        if group is None:
            return Finding(
                what,
                "worth a look",
                "no log group is configured: `dyna events` and refusals need it",
                "deploy cerebro again",
            )
        self._session.call("logs", "filter_log_events", logGroupName=group, limit=1)
        return Finding(what, "well", group)

    def _dead(self, what: str) -> Finding:
        queues = self._dead_letters.queues()
        if not queues:
            return Finding(what, "well", "there are no dead letters")
        counts = ", ".join(f"{queue.messages} in {queue.name}" for queue in queues)
        return Finding(what, "worth a look", counts, "dyna dlq ls")

"""Async client: as Client, for programs that run an event loop.

Invariant: the loop is never blocked: what waits is done by a thread, and at most STEP_S at a time,
so that a cancelled task of the loop leaves no thread behind.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from cordyna_cli.client.event import Event
from cordyna_cli.client.outcome import RunTimeout, output_of
from cordyna_cli.client.sync_client import Client, RunHandle, RunListState
from cordyna_core.contract.views.graph import ServerInfo, TaskInfo
from cordyna_core.contract.views.runs import LogLine, RunSummary, RunView

STEP_S: Final = 0.5


class AsyncClient:
    """An engine that is opened by `async with`; its methods are those of Client."""

    def __init__(self, open_client: Callable[[], Client]) -> None:
        self._open_client = open_client
        self._opened: Client | None = None

    async def __aenter__(self) -> Self:
        self._opened = await asyncio.to_thread(self._open_client)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._client.close)

    @property
    def _client(self) -> Client:
        if self._opened is None:
            raise RuntimeError("the client is not open: use it in `async with`")
        return self._opened

    async def invoke(
        self,
        task: str,
        params: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        max_age_s: int | None = None,
        labels: Mapping[str, str] | None = None,
        join: bool = False,
    ) -> "AsyncRunHandle":
        """See Client.invoke. Raises Refusal."""
        run = await asyncio.to_thread(
            self._client.invoke,
            task,
            params,
            key=key,
            max_age_s=max_age_s,
            labels=labels,
            join=join,
        )
        return AsyncRunHandle(run)

    async def run(self, run_id: str) -> "AsyncRunHandle":
        """Return a run that exists. Raises NotFound."""
        return AsyncRunHandle(await asyncio.to_thread(self._client.run, run_id))

    async def runs(
        self,
        limit: int = 20,
        *,
        task: str | None = None,
        state: RunListState | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[RunSummary]:
        """See Client.runs."""
        return await asyncio.to_thread(
            self._client.runs, limit, task=task, state=state, since=since, until=until
        )

    async def tasks(self) -> list[TaskInfo]:
        """Return every declared task."""
        return await asyncio.to_thread(self._client.tasks)

    async def servers(self) -> list[ServerInfo]:
        """Return every server that has declared itself."""
        return await asyncio.to_thread(self._client.servers)

    async def subscribe(
        self, *, after: int = 0, timeout_s: float | None = None
    ) -> AsyncIterator[Event]:
        """See Client.subscribe."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            step_s = _step_s(until)
            events = self._client.subscribe(after=after, timeout_s=step_s)
            async for event in _in_thread(events):
                after = max(after, event.seq)
                yield event
            if _has_passed(until):
                return


class AsyncRunHandle:
    """One run of an open async client."""

    def __init__(self, run: RunHandle) -> None:
        self._run, self.run_id = run, run.run_id

    async def view(self) -> RunView:
        """Return the run as it is now, with all its tasks."""
        return await asyncio.to_thread(self._run.view)

    async def wait(self, timeout_s: float | None = None) -> RunView:
        """Wait until the run has ended; completed or not. Raises RunTimeout."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            view = await asyncio.to_thread(self._run.poll, _step_s(until))
            if view.is_final:
                return view
            if _has_passed(until):
                raise RunTimeout(view, timeout_s or 0)

    async def result(self, timeout_s: float | None = None) -> Any:
        """Wait, and return the output of the task. Raises RunFailed, RunTimeout."""
        return output_of(await self.wait(timeout_s))

    async def cancel(self) -> None:
        """End the run now. Raises Refusal if it has completed."""
        await asyncio.to_thread(self._run.cancel)

    async def retry(self, tasks: Sequence[str] = (), *, downstream: bool = False) -> None:
        """See RunHandle.retry. Raises Refusal."""
        await asyncio.to_thread(self._run.retry, tasks, downstream=downstream)

    async def logs(self, task: str | None = None) -> list[LogLine]:
        """Return what its tasks, or one of them, printed."""
        return await asyncio.to_thread(self._run.logs, task)

    async def events(self, *, timeout_s: float | None = None) -> AsyncIterator[Event]:
        """See RunHandle.events."""
        async for event in _in_thread(self._run.events(timeout_s=timeout_s)):
            yield event


async def _in_thread(events: Iterator[Event]) -> AsyncIterator[Event]:
    """Yield the items of an iterator that waits, each awaited in a thread."""
    while (event := await asyncio.to_thread(next, events, None)) is not None:
        yield event


def _step_s(until: float | None) -> float:
    return STEP_S if until is None else max(0.0, min(STEP_S, until - time.monotonic()))


def _has_passed(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until

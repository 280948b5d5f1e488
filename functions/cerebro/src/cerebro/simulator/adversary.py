"""Intruder: what may stand on a bus though nobody should have put it there: poison, giants, forgeries.

Law: none of it changes anything that cerebro knows. (A giant in a server's own name is that server's failure.)
"""

from typing import Final

from cerebro.core.model import Run
from cerebro.simulator.faults import FaultInjector
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CEREBRO, CLIENT, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc

_POISON = (
    "",
    "no JSON at all",
    "{}",
    '{"ring": 1',
    '{"ring":{"page":0}}',
    '{"walk":{}}',
    '{"id":"e","source":"cordyna.client","detail-type":"InvokeTask","time":"2025-10-09T09:00:00Z","detail":{"task":"no/name"}}',
    '{"id":"e","source":"cordyna.client","detail-type":"Unheard","time":"2025-10-09T09:00:00Z","detail":{}}',
    '{"id":"e","source":"cordyna.server.s0","detail-type":"ServerDeclared","time":"2025-10-09T09:00:00Z","detail":{"server":"s0","tasks":[{"x":1}]}}',
    '{"id":"e","source":"cordyna.client","detail-type":"CancelRun","time":"2025-10-09T09:00:00Z","detail":{"run_id":"short"}}',
    '{"id":"e","source":"cordyna.client","detail-type":"RetryRun","time":"2025-10-09T09:00:00Z","detail":{"run_id":"'
    + "0" * 26
    + '"}}',
)

_GIANT_OUTPUT: Final = f'"output":"{"y" * 300_000}"'


def adversary_event(
    luck: FaultInjector, runs: list[Run], servers: list[str], now: float, event_id: str
) -> tuple[str, str]:
    """(its kind, what is put on the bus)."""
    kind = luck.choice(("poison", "oversize", "forged"))
    if kind == "poison" or not runs:
        return "poison", luck.choice(_POISON)
    run, server = luck.choice(runs), luck.choice(servers)
    task = luck.choice((run.task, "t0", "t1"))
    if kind == "oversize":
        small = _update(
            run, task, server, luck.choice((1, 99)), "y", server_source(server), (event_id, now)
        )
        # It grows when it is text already: having a giant written as JSON would be what a world spends most of its time on.
        return kind, small.replace('"output":"y"', _GIANT_OUTPUT)
    source = luck.choice((server_source("stranger"), CLIENT, CEREBRO, server_source(server)))
    named = source.rpartition(".")[2] if source.startswith("cordyna.server.") else server
    # A stranger speaks of attempts that were sent; whoever may own the task speaks of one that never was.
    attempt = 99 if named == server else 1
    return kind, _update(run, task, named, attempt, "forged", source, (event_id, now))


def _update(
    run: Run,
    task: str,
    server: str,
    attempt: int,
    output: str,
    source: str,
    event: tuple[str, float],
) -> str:
    update = TaskStateChanged(
        server=server, run_id=run.id, task=task, attempt=attempt, state="completed", output=output
    )
    return seal(update, source, event[0], utc(event[1]))

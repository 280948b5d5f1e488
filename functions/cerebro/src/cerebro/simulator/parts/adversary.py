"""Adversary: what may be on a bus although it should not: poison, oversized outputs, forgeries.

Invariant: none of it changes anything that cerebro knows. (An output in a server's own name that is
oversized, or no JSON, is that server's failure.)
"""

from typing import Final
from zlib import crc32

from cerebro.core.model.run import Run
from cerebro.simulator.parts.faults import FaultInjector
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CEREBRO, CLIENT, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc


def _event(source: str, detail_type: str, detail: str) -> str:
    return (
        f'{{"id":"e","source":"{source}","detail-type":"{detail_type}",'
        f'"time":"2025-10-09T09:00:00Z","detail":{detail}}}'
    )


_POISON: Final = (
    "",
    "no JSON at all",
    "{}",
    '{"ring": 1',
    '{"ring":{"page":0}}',
    '{"walk":{}}',
    _event("cordyna.client", "InvokeTask", '{"task":"no/name"}'),
    _event("cordyna.client", "Unheard", "{}"),
    _event("cordyna.server.s0", "ServerDeclared", '{"server":"s0","tasks":[{"x":1}]}'),
    _event("cordyna.client", "CancelRun", '{"run_id":"short"}'),
    _event("cordyna.client", "RetryRun", f'{{"run_id":"{"0" * 26}"}}'),
)
"""Bodies that no sender may put on the bus, of every kind that a queue can deliver."""

_OVERSIZED_OUTPUT: Final = f'"output":"{"y" * 20_000}"'
_OUTPUT_NOT_JSON: Final = '"output":[NaN]'


def adversary_event(
    faults: FaultInjector, runs: list[Run], servers: list[str], now: float, event_id: str
) -> tuple[str, str]:
    """(kind of fault, body of the event)."""
    kind = faults.choice(("poison", "oversize", "forged"))
    if kind == "poison" or not runs:
        return "poison", faults.choice(_POISON)
    run, server = faults.choice(runs), faults.choice(servers)
    task = faults.choice((run.task, "t0", "t1"))
    if kind == "oversize":
        small = _update(
            run, task, server, faults.choice((1, 99)), "y", server_source(server), (event_id, now)
        )
        # As text: encoding so large an output as JSON would take most of a world's time, and no
        # message holds one that is no JSON. Every other one is: a draw of its own would change all
        # that is drawn later.
        output = _OUTPUT_NOT_JSON if crc32(event_id.encode()) % 2 else _OVERSIZED_OUTPUT
        return kind, small.replace('"output":"y"', output)
    source = faults.choice((server_source("stranger"), CLIENT, CEREBRO, server_source(server)))
    claimed = source.rpartition(".")[2] if source.startswith("cordyna.server.") else server
    # A stranger claims an attempt that was sent; a possible owner claims one that never was.
    attempt = 99 if claimed == server else 1
    return kind, _update(run, task, claimed, attempt, "forged", source, (event_id, now))


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

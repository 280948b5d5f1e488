"""Noted effects: what a handler read and noted, as the checks of a world need it.

Invariant: nothing here checks anything.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from cerebro.core import effects
from cerebro.simulator.checks.handled_input import HandledInput


class Handling(Protocol):
    """A handler that is working on an input."""

    handled: HandledInput


def _graph_read(handler: Handling, _: effects.ReadGraph, answer: Any) -> None:
    if handler.handled.has_written_head:
        handler.handled.graph_after = answer
    elif not handler.handled.has_created_run:  # what is read later decides nothing about its plan
        handler.handled.graph = answer


def _timer_looked_for(handler: Handling, effect: effects.HasPageTimer, answer: Any) -> None:
    if answer:
        handler.handled.armed_pages.add(effect.page)


def _run_read(handler: Handling, effect: effects.ReadRun, answer: Any) -> None:
    handler.handled.note_run(effect.run_id, answer)


def _fact_read(handler: Handling, effect: effects.ReadTask, answer: Any) -> None:
    if effect.fresh:
        handler.handled.facts_read[effect.run_id, effect.index] = answer


def _tick_read(handler: Handling, _: effects.ReadTick, answer: Any) -> None:
    handler.handled.last_tick = answer


def _head_written(handler: Handling, _: effects.WriteHead, answer: Any) -> None:
    handler.handled.has_written_head = handler.handled.has_written_head or answer


def _crons_applied(handler: Handling, effect: effects.ApplyCrons, _: Any) -> None:
    handler.handled.crons_applied = effect.generation


def _result_read(handler: Handling, effect: effects.ReadCachedResult, answer: Any) -> None:
    if not handler.handled.cached_results:
        handler.handled.results_read_at = handler.handled.clock
    handler.handled.cached_results[effect.task] = answer


def _outputs_read(handler: Handling, effect: effects.ReadOutputs, answer: Any) -> None:
    lost = {(effect.run_id, index) for index in effect.refs if index not in answer}
    handler.handled.lost_outputs |= {
        task
        for task, result in handler.handled.cached_results.items()
        if result is not None and (result.run_id, result.index) in lost
    }


NOTED: Final[dict[type, Callable[[Any, Any, Any], None]]] = {
    effects.Now: lambda handler, _, answer: handler.handled.clocks.append(answer),
    effects.ReadGraph: _graph_read,
    effects.ReadCachedResult: _result_read,
    effects.ReadRun: _run_read,
    effects.ReadTask: _fact_read,
    effects.ReadTick: _tick_read,
    effects.ReadOutputs: _outputs_read,
    effects.ApplyCrons: _crons_applied,
    effects.WriteHead: _head_written,
    effects.HasPageTimer: _timer_looked_for,
    effects.SendFanOut: lambda handler, effect, _: handler.handled.fan_outs.append(effect.fan_out),
    effects.NoteServer: lambda handler, effect, _: handler.handled.noted_servers.add(effect.server),
    effects.NoteMissedAck: lambda handler, effect, _: handler.handled.silent_servers.add(
        effect.server
    ),
}
"""(handler, effect, answer) -> None, by the kind of effect."""

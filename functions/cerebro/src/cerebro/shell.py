"""Shell: performs a program's effects, one by one, on the ports.

Invariant: the shell decides nothing. If a port raises, or the time runs out, the program is dropped
where it is and its input is not acknowledged; delivering the input again runs the program from its
start.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cerebro.core import effects
from cerebro.core.incidents import effects as incident_effects
from cerebro.ports import CerebroBus, Crons, Store, Timers
from cordyna_core.errors import CordynaError
from cordyna_core.ports import Clock


@dataclass(frozen=True, slots=True)
class Ports:
    """What the effects are performed on."""

    store: Store
    bus: CerebroBus
    timers: Timers
    crons: Crons
    clock: Clock


PERFORM: Final[dict[type, Callable[[Ports, Any], Any]]] = {
    effects.Now: lambda p, _: p.clock(),
    effects.ReadGraph: lambda p, _: p.store.read_graph(),
    effects.WriteDeclaration: lambda p, x: p.store.write_declaration(x.version, x.declared),
    effects.WriteHead: lambda p, x: p.store.write_head(x.new, x.seen),
    effects.ReadGraphChange: lambda p, x: p.store.read_graph_change(x.server, x.version),
    effects.WriteGraphChange: lambda p, x: p.store.write_graph_change(
        x.server, x.version, x.change
    ),
    effects.NoteServer: lambda p, x: p.store.note_server(x.server, x.state, x.at),
    effects.ApplyCrons: lambda p, _: p.crons.apply(p.store.read_graph()),
    effects.NoteMissedAck: lambda p, x: p.store.note_missed_ack(x.server, x.at),
    effects.ReadCachedResult: lambda p, x: p.store.read_cached_result(x.task, x.fingerprint),
    effects.WriteCachedResult: lambda p, x: p.store.write_cached_result(
        x.task, x.fingerprint, x.result
    ),
    effects.ReadTick: lambda p, x: p.store.read_tick(x.task),
    effects.WriteTick: lambda p, x: p.store.write_tick(x.task, x.nominal),
    effects.WritePlan: lambda p, x: p.store.write_plan(x.plan),
    effects.ReadRunSnapshot: lambda p, x: p.store.read_run_snapshot(x.run_id),
    effects.ReadRun: lambda p, x: p.store.read_run(x.run_id),
    effects.ReadRecentRun: lambda p, x: p.store.read_recent_run(x.run_id),
    effects.WriteRun: lambda p, x: p.store.write_run(x.new, x.seen),
    effects.ReadTask: lambda p, x: p.store.read_task(x.run_id, x.index, fresh=x.fresh),
    effects.ReadRecentTask: lambda p, x: p.store.read_recent_task(x.run_id, x.index),
    effects.ReadTasks: lambda p, x: p.store.read_tasks(x.run_id, x.indexes, fresh=x.fresh),
    effects.ReadPage: lambda p, x: p.store.read_page(x.run_id, x.page),
    effects.WriteTask: lambda p, x: p.store.write_task(x.run_id, x.index, x.new, x.seen),
    effects.ReadOutputs: lambda p, x: p.store.read_outputs(x.run_id, x.refs),
    effects.WriteOutput: lambda p, x: p.store.write_output(x.run_id, x.index, x.ref, x.output),
    effects.HasPageTimer: lambda p, x: p.store.has_page_timer(x.run_id, x.page, x.after, x.until),
    effects.WritePageTimer: lambda p, x: p.store.write_page_timer(x.run_id, x.page, x.due, x.after),
    effects.SendPageTimer: lambda p, x: p.timers.send_page_timer(x.timer),
    effects.SendFanOut: lambda p, x: p.timers.send_fan_out(x.fan_out),
    effects.SendOverdueCheck: lambda p, x: p.timers.send_overdue_check(x.check),
    effects.Publish: lambda p, x: p.bus.publish(x.messages),
    incident_effects.ReadIncident: lambda p, x: p.store.read_incident(x.incident),
    incident_effects.WriteIncident: lambda p, x: p.store.write_incident(x.new, x.seen),
    incident_effects.MarkCause: lambda p, x: p.store.mark_cause(x.mark, on=x.on),
    incident_effects.ReadDeadline: lambda p, x: p.store.read_deadline(x.task, x.nominal),
    incident_effects.WriteDeadline: lambda p, x: p.store.write_deadline(x.new, x.seen),
    incident_effects.ReadActiveRuns: lambda p, _: p.store.active_runs(),
    incident_effects.ReadNewestRuns: lambda p, x: p.store.runs(x.limit),
    incident_effects.SendIncidentTimer: lambda p, x: p.timers.send_incident_timer(x.timer),
    incident_effects.SendIncidentNotice: lambda p, x: p.timers.send_incident_notice(x.notice),
}
"""How each effect is performed; cerebro does nothing else to the world."""


class ProgramFailed(CordynaError):
    """A program raised an unexpected error; it raises it again if its message is handled again."""


CheckTime = Callable[[], None]
"""Raises if the process has no time for another effect."""


def no_time_limit() -> None:
    """Let a program take as long as it needs."""


def perform(program: effects.Program, ports: Ports, check_time: CheckTime = no_time_limit) -> None:
    """Run `program` to its end.

    Raises:
        Fatal: the program says that its message can never be handled.
        ProgramFailed: the program raised anything else. What a port or `check_time` raises is
            raised as it is.
    """
    answer: Any = None
    send = program.send
    while True:
        try:
            effect = send(answer)
        except StopIteration:
            return
        except CordynaError:
            raise
        except Exception as unexpected:
            raise ProgramFailed(f"{type(unexpected).__name__}: {unexpected}") from unexpected
        check_time()
        answer = PERFORM[type(effect)](ports, effect)

"""Shell: performs a program's effects, one by one, on the ports.

Invariant: the shell decides nothing. If a port raises, the program is dropped where it is and its
input is not acknowledged; delivering the input again runs the program from its start.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cerebro.core import effects as e
from cerebro.core.incidents import effects as i
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
    e.Now: lambda p, _: p.clock(),
    e.ReadGraph: lambda p, _: p.store.read_graph(),
    e.WriteDeclaration: lambda p, x: p.store.write_declaration(x.version, x.declared),
    e.WriteHead: lambda p, x: p.store.write_head(x.new, x.seen),
    e.ReadGraphChange: lambda p, x: p.store.read_graph_change(x.server, x.version),
    e.WriteGraphChange: lambda p, x: p.store.write_graph_change(x.server, x.version, x.change),
    e.NoteServer: lambda p, x: p.store.note_server(x.server, x.state, x.at),
    e.ApplyCrons: lambda p, _: p.crons.apply(p.store.read_graph()),
    e.NoteMissedAck: lambda p, x: p.store.note_missed_ack(x.server, x.at),
    e.ReadCachedResult: lambda p, x: p.store.read_cached_result(x.task, x.fingerprint),
    e.WriteCachedResult: lambda p, x: p.store.write_cached_result(x.task, x.fingerprint, x.result),
    e.ReadTick: lambda p, x: p.store.read_tick(x.task),
    e.WriteTick: lambda p, x: p.store.write_tick(x.task, x.nominal),
    e.WritePlan: lambda p, x: p.store.write_plan(x.plan),
    e.ReadRunSnapshot: lambda p, x: p.store.read_run_snapshot(x.run_id),
    e.ReadRun: lambda p, x: p.store.read_run(x.run_id),
    e.ReadRecentRun: lambda p, x: p.store.read_recent_run(x.run_id),
    e.WriteRun: lambda p, x: p.store.write_run(x.new, x.seen),
    e.ReadTask: lambda p, x: p.store.read_task(x.run_id, x.index, fresh=x.fresh),
    e.ReadRecentTask: lambda p, x: p.store.read_recent_task(x.run_id, x.index),
    e.ReadTasks: lambda p, x: p.store.read_tasks(x.run_id, x.indexes, fresh=x.fresh),
    e.ReadPage: lambda p, x: p.store.read_page(x.run_id, x.page),
    e.WriteTask: lambda p, x: p.store.write_task(x.run_id, x.index, x.new, x.seen),
    e.ReadOutputs: lambda p, x: p.store.read_outputs(x.run_id, x.refs),
    e.WriteOutput: lambda p, x: p.store.write_output(x.run_id, x.index, x.ref, x.output),
    e.HasPageTimer: lambda p, x: p.store.has_page_timer(x.run_id, x.page, x.after, x.until),
    e.WritePageTimer: lambda p, x: p.store.write_page_timer(x.run_id, x.page, x.due, x.after),
    e.SendPageTimer: lambda p, x: p.timers.send_page_timer(x.timer),
    e.SendFanOut: lambda p, x: p.timers.send_fan_out(x.fan_out),
    e.SendOverdueCheck: lambda p, x: p.timers.send_overdue_check(x.check),
    e.Publish: lambda p, x: p.bus.publish(x.messages),
    i.ReadIncident: lambda p, x: p.store.read_incident(x.incident),
    i.WriteIncident: lambda p, x: p.store.write_incident(x.new, x.seen),
    i.MarkCause: lambda p, x: p.store.mark_cause(x.mark, on=x.on),
    i.ReadDeadline: lambda p, x: p.store.read_deadline(x.task, x.nominal),
    i.WriteDeadline: lambda p, x: p.store.write_deadline(x.new, x.seen),
    i.ReadActiveRuns: lambda p, _: p.store.active_runs(),
    i.ReadNewestRuns: lambda p, x: p.store.runs(x.limit),
    i.SendIncidentTimer: lambda p, x: p.timers.send_incident_timer(x.timer),
    i.SendIncidentNotice: lambda p, x: p.timers.send_incident_notice(x.notice),
}
"""How each effect is performed; cerebro does nothing else to the world."""


class ProgramFailed(CordynaError):
    """A program raised an unexpected error; it raises it again if its message is handled again."""


def perform(program: e.Program, ports: Ports) -> None:
    """Run `program` to its end.

    Raises:
        Fatal: the program says that its message can never be handled.
        ProgramFailed: the program raised anything else. What a port raises is raised as it is.
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
        answer = PERFORM[type(effect)](ports, effect)

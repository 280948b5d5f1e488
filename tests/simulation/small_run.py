"""Small run: what the handlers of an explored run read, write and send, and what must hold of it.

There is one run, of tasks `t0`, `t1`, ... of one server, on one page. Messages have names:
`invoke`, `cancel`, `retry`; `run:t0:1` is a command, `completed:t0:1` and `error:t0:1` are its
answers; `ring:...`, `overdue:...` and `fan-out:...` are page timers, overdue checks, and what a
part of a fan-out had no time for.

Invariant: equal facts, and equal runs, are one object.
"""

from collections.abc import Iterator
from typing import Any, Final

from cerebro.core import effects, invariants
from cerebro.core.incidents.effects import SendIncidentNotice
from cerebro.core.model.plan import Plan
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.planning.planner import plan_invocation
from cordyna_core.contract.base import ErrorDescription, Message, Meta
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, derived_id, run_id_of, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from simulation.states import Interned, State, with_name
from world.declarations import graph_of
from world.world import NOON

Upstream = tuple[tuple[int, ...], ...]
"""Of each task, the indexes of its upstream tasks."""

OBSERVABLE: Final = object()
"""Instead of an answer: the effect is one that other handlers can observe."""

READS: Final = (
    effects.ReadRun,
    effects.ReadRecentRun,
    effects.ReadTask,
    effects.ReadRecentTask,
    effects.ReadTasks,
    effects.ReadPage,
    effects.HasPageTimer,
)

_UNOBSERVED: Final = (
    SendIncidentNotice,
    effects.WritePlan,
    effects.NoteServer,
    effects.NoteMissedAck,
    effects.WriteCachedResult,
    effects.ReadCachedResult,
    effects.Publish,
)


class BrokenError(Exception):
    """An invariant broke."""


class SmallRun:
    """One run; `perform` is what the ports do elsewhere."""

    def __init__(self, upstream: Upstream, retries: int) -> None:
        tasks = [
            {"name": f"t{index}", "upstream": [f"t{up}" for up in ups], "retries": retries}
            for index, ups in enumerate(upstream)
        ]
        self._graph = graph_of(ServerDeclared.model_validate({"server": "s", "tasks": tasks}))
        target = f"t{len(tasks) - 1}"
        plan = plan_invocation(self._graph, target)
        assert isinstance(plan, Plan)
        self.plan = plan
        self._run_id = run_id_of(target, "k")
        run = Run(id=self._run_id, task=target, plan_id=plan.id, created_at=NOON, cause="invoke")
        self._snapshot = RunSnapshot(run, plan)
        self._interned = Interned()
        commands: dict[str, Message] = {
            "invoke": InvokeTask(task=target, key="k", meta=Meta(id="invoke")),
            "cancel": CancelRun(run_id=self._run_id, command_id="c", meta=Meta(id="cancel")),
            "retry": RetryRun(run_id=self._run_id, command_id="r", meta=Meta(id="retry")),
        }
        self._messages: dict[str, Any] = {
            name: Envelope(CLIENT, message, name, utc(NOON)) for name, message in commands.items()
        }
        # What facts name as their cause when these commands wrote them.
        self._cause_of = {
            "cancel": derived_id("CancelRun", self._run_id, "c"),
            "retry": derived_id("RetryRun", self._run_id, "r"),
        }

    # --- messages -------------------------------------------------------------------------------
    def message(self, name: str) -> Any:
        """Return the message of a name."""
        if name not in self._messages:
            reported, task, attempt = name.split(":")
            update = TaskStateChanged(
                meta=Meta(id=name),
                server="s",
                run_id=self._run_id,
                task=task,
                attempt=int(attempt),
                state="error" if reported == "error" else "completed",
                error=ErrorDescription(type="Oops") if reported == "error" else None,
            )
            self._messages[name] = Envelope(server_source("s"), update, name, utc(NOON))
        return self._messages[name]

    def due(self, timer: str) -> float:
        """Return when the page timer of a name is due."""
        return float(self._messages[timer].due)

    def _sent_by(
        self,
        effect: effects.SendPageTimer
        | effects.SendOverdueCheck
        | effects.SendFanOut
        | effects.Publish,
    ) -> Iterator[str]:
        """The names of the messages that an effect sends, that lead to anything."""
        match effect:
            case effects.SendPageTimer(timer):
                self._messages[timer.id] = timer
                yield timer.id
            case effects.SendOverdueCheck(check):
                name = f"{check.id}:{check.turn}:{check.start}"
                self._messages[name], self._cause_of[name] = check, check.id
                yield name
            case effects.SendFanOut(rest):
                name = f"fan-out:{rest.index}:{rest.page}:{rest.start}:{rest.repair}:{rest.cause}"
                self._messages[name], self._cause_of[name] = rest, rest.cause
                yield name
            case effects.Publish(messages):
                for message in messages:
                    if isinstance(message, RunTask):
                        yield f"run:{message.task}:{message.attempt}"

    # --- effects --------------------------------------------------------------------------------
    def local_answer(self, effect: Any, state: State) -> Any:
        """The answer to an effect that no other handler observes, else OBSERVABLE."""
        match effect:
            case effects.Now():
                return state.now
            case effects.ReadRunSnapshot():
                return self._snapshot if state.run else None
            case effects.ReadGraph():
                return self._graph
        is_command = isinstance(effect, effects.Publish) and any(
            isinstance(message, RunTask) for message in effect.messages
        )
        return None if isinstance(effect, _UNOBSERVED) and not is_command else OBSERVABLE

    def perform(self, state: State, effect: Any) -> tuple[State, Any]:
        """Perform an effect that others observe. Returns the state after it, and its answer.

        Raises BrokenError.
        """
        match effect:
            case effects.WriteRun():
                return self._write_run(state, effect)
            case effects.WriteTask():
                return self._write_task(state, effect)
            case effects.WritePageTimer():
                due = state.timer_due_at
                is_guarded = due is not None and effect.after < due <= effect.due
                return (state if is_guarded else state._replace(timer_due_at=effect.due)), None
            case (
                effects.SendPageTimer()
                | effects.SendOverdueCheck()
                | effects.SendFanOut()
                | effects.Publish()
            ):
                for name in self._sent_by(effect):
                    state = state._replace(on_its_way=with_name(state.on_its_way, name))
                return state, None
        return state, self._read(state, effect)

    def _read(self, state: State, effect: Any) -> Any:
        match effect:
            case effects.ReadRun() | effects.ReadRecentRun():
                return state.run
            case effects.ReadTask() | effects.ReadRecentTask():
                return state.facts[effect.index]
            case effects.ReadTasks():
                return {index: fact for index in effect.indexes if (fact := state.facts[index])}
            case effects.ReadPage():
                facts = reversed(list(enumerate(state.facts)))
                return {index: fact for index, fact in facts if fact}
            case effects.HasPageTimer():
                due = state.timer_due_at
                return due is not None and effect.after < due <= effect.until
        raise AssertionError(effect)

    def _write_run(self, state: State, effect: effects.WriteRun) -> tuple[State, Any]:
        stored = state.run
        if (stored.version if stored else None) != (effect.seen.version if effect.seen else None):
            return state, stored
        _require(invariants.of_run(self.plan, state.known_facts(), stored, effect.new))
        return state._replace(run=self._interned(effect.new)), None

    def _write_task(self, state: State, effect: effects.WriteTask) -> tuple[State, Any]:
        stored, index = state.facts[effect.index], effect.index
        if (stored.rev if stored else None) != (effect.seen.rev if effect.seen else None):
            return state, stored
        new = self._interned(effect.new)
        after = state._replace(facts=(*state.facts[:index], new, *state.facts[index + 1 :]))
        run, facts = state.run, after.known_facts()
        assert run is not None
        _require(invariants.of_task(self._snapshot, run, facts, index, stored, now=state.now))
        return after, None

    # --- what must hold -------------------------------------------------------------------------
    def check_acknowledged(self, state: State) -> None:
        """Check a state in which an input has just been acknowledged. Raises BrokenError."""
        if state.run is None:
            return
        running = (handler.name for handler in state.running)
        inputs = {*state.on_its_way, *state.redelivered, *running}
        causes = inputs | {self._cause_of[name] for name in inputs if name in self._cause_of}
        timers = [self.due(name) for name in inputs if name.startswith("ring:")]
        facts, is_pending = state.known_facts(), causes.__contains__
        _require(invariants.alive_though_over(self._snapshot, state.run, facts, is_pending))
        if state.run.status == "running":
            overdue = (name for name in inputs if name.startswith("overdue:"))
            checks = [self._messages[name].asked_at for name in overdue]
            unguarded = invariants.unguarded(
                self._snapshot, facts, 0, timers, checks, is_pending, now=state.now
            )
            _require(unguarded)

    def check_at_rest(self, state: State) -> None:
        """Check a state in which nothing can happen any more. Raises BrokenError."""
        if state.run is not None:
            _require(invariants.at_rest(self._snapshot, state.run, state.known_facts()))


def _require(broken: str | None) -> None:
    if broken:
        raise BrokenError(broken)

"""Scene: cerebro's real reactions on a memory store, at a time that stands still until a test lets it pass.

A scenario is one line: `a_run("a  b<-a  c<-a,b", a="completed", b="started")` declares three tasks on server s, invokes c, and
lets the server say what leads there. Commands are kept in `sent`, everything that cerebro said in `told`; rings wait for `after`.
"""

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from cerebro.adapters.memory import MemoryStore
from cerebro.core.effects import FanOut, PageTimer, Program, Tick
from cerebro.core.graph.graph import Graph
from cerebro.core.model import Run, TaskRun
from cerebro.handlers import queries
from cerebro.handlers.receive import program_of
from cerebro.shell import PERFORM, Ports, perform
from cordyna_core.contract.base import ErrorDescription, Message, Meta
from cordyna_core.contract.commands import CancelRun, CancelTask, InvokeTask, RetryRun, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, SCHEDULER, run_id_of, server_source
from cordyna_core.contract.state_updates import (
    DeclarationRejected,
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import RunView, TaskView

NOON = 1_800_000_000.0

LEADS_TO = {
    "queued": ("queued",),
    "started": ("started",),
    "completed": ("started", "completed"),
    "error": ("started", "error"),
}


def declaration(server: str, tasks: str, *, revision: int = 0, **of_task: Any) -> ServerDeclared:
    """`"x  y<-x,z"` are x, and y which needs x and z. Keywords add to a task's declaration, or to that of `every` task."""
    declared: list[dict[str, Any]] = []
    for word in tasks.split():
        name, _, upstream = word.partition("<-")
        said = {
            "name": name,
            "upstream": [each for each in upstream.split(",") if each],
            **of_task.get("every", {}),
        }
        declared.append(said | of_task.get(name, {}))
    return ServerDeclared.model_validate(
        {"server": server, "revision": revision, "tasks": declared}
    )


class Scene:
    """Cerebro, and everybody else played by a test."""

    def __init__(self) -> None:
        self.now = NOON
        self.store = MemoryStore()
        self.told: list[Message] = []
        self.run_id = ""
        self.graph = Graph.of({})
        self._rings: list[tuple[float, int, PageTimer]] = []
        self._inside: list[FanOut | Envelope] = []
        self._number = count(1)
        self.ports = Ports(
            store=self.store, bus=self, timers=self, crons=self, clock=lambda: self.now
        )

    # --- the ports --------------------------------------------------------------------------------------------------
    def publish(self, messages: Sequence[Message]) -> None:
        self.told.extend(messages)
        self._inside += [
            self._sealed(SCHEDULER, message)
            for message in messages
            if isinstance(message, InvokeTask)
        ]

    def send_page_timer(self, ring: PageTimer) -> None:
        heapq.heappush(self._rings, (ring.due, next(self._number), ring))

    def send_fan_out(self, walk: FanOut) -> None:
        self._inside.append(walk)

    def apply(self, graph: Graph) -> None:
        self.graph = graph

    # --- what others do ---------------------------------------------------------------------------------------------
    def hears(self, message: Envelope | PageTimer | FanOut | Tick) -> None:
        """Cerebro handles one message, and those that it sends to itself."""
        program = program_of(message)
        if program is not None:
            perform(program, self.ports)
        while self._inside:
            self.hears(self._inside.pop(0))

    def crashes(self, message: Envelope | PageTimer | FanOut | Tick, *, after: int) -> int:
        """Cerebro begins with a message and crashes after so many effects. Returns how many there were."""
        return min(after, self.begins(message, steps=0)(after + 1))

    def begins(
        self, message: Envelope | PageTimer | FanOut | Tick, *, steps: int
    ) -> Callable[[int], int]:
        """Cerebro does so many effects of its answer to a message, and is paused; call what is returned to let it do that many more."""
        program: Program | None = program_of(message)
        assert program is not None
        asked: list[Any] = []
        has_ended = False

        def goes_on(effects: int) -> int:
            nonlocal has_ended
            for done in range(effects):
                if has_ended:
                    return done
                try:
                    answer = PERFORM[type(asked[0])](self.ports, asked[0]) if asked else None
                    asked[:] = [program.send(answer)]
                except StopIteration:
                    has_ended = True
                    return done
            return effects

        # The first that a program is sent only begins it.
        goes_on(steps + 1 if steps else 0)
        return goes_on

    def crashes_as_soon_as(
        self, message: Envelope | PageTimer | FanOut | Tick, reached: Callable[[], bool]
    ) -> None:
        """Cerebro begins with a message again and again, one effect further each time, and crashes, until that is reached."""
        for after in range(1, 100):
            if reached():
                return
            self.crashes(message, after=after)
        raise AssertionError("it was never reached")

    def declares(self, server: str, tasks: str, **more: Any) -> None:
        self.hears(self._sealed(server_source(server), declaration(server, tasks, **more)))

    def invokes(
        self, task: str, *, key: str | None = None, source: str = CLIENT, **more: Any
    ) -> str:
        """Ask for a task. Returns the run's id, if it was not refused."""
        key = key or f"key-{next(self._number)}"
        self.hears(self._sealed(source, InvokeTask(task=task, key=key, **more)))
        return run_id_of(task, key)

    def cancels(self, run_id: str = "", *, command_id: str | None = None) -> None:
        self.hears(
            self._sealed(CLIENT, CancelRun(run_id=run_id or self.run_id, command_id=command_id))
        )

    def retries(self, *tasks: str, command_id: str | None = None, run_id: str = "") -> None:
        self.hears(
            self._sealed(
                CLIENT,
                RetryRun(run_id=run_id or self.run_id, command_id=command_id, from_=list(tasks)),
            )
        )

    def says(
        self,
        task: str,
        state: Any,
        *,
        attempt: int | None = None,
        by: str | None = None,
        run_id: str = "",
        **more: Any,
    ) -> Envelope:
        """The task's server (or somebody else) speaks of it. Returns what was said, so that it can be heard again."""
        envelope = self.word(task, state, attempt=attempt, by=by, run_id=run_id, **more)
        self.hears(envelope)
        return envelope

    def word(
        self,
        task: str,
        state: Any,
        *,
        attempt: int | None = None,
        by: str | None = None,
        run_id: str = "",
        **more: Any,
    ) -> Envelope:
        """What `says` says, not said yet."""
        view = self.task(task, run_id)
        if state == "error":
            more.setdefault("error", ErrorDescription(type="Oops", message="it broke"))
        meta = Meta(id=f"word-{next(self._number)}", time=utc(self.now))
        update = TaskStateChanged(
            meta=meta,
            server=view.server,
            run_id=run_id or self.run_id,
            task=task,
            attempt=view.attempt if attempt is None else attempt,
            state=state,
            **more,
        )
        return Envelope(by or server_source(view.server), update, f"event-{meta.id}", utc(self.now))

    def comes_to(self, task: str, state: str, **more: Any) -> None:
        """The task's server says what leads to a state."""
        for said in LEADS_TO[state]:
            self.says(task, said, **(more if said == state else {}))

    def after(self, seconds: float) -> "Scene":
        """Time passes; rings come when they are due."""
        until = self.now + seconds
        while self._rings and self._rings[0][0] <= until:
            due, _, ring = heapq.heappop(self._rings)
            self.now = max(self.now, due)
            self.hears(ring)
        self.now = until
        return self

    def _sealed(self, source: str, message: Message) -> Envelope:
        return Envelope(source, message, f"event-{next(self._number)}", utc(self.now))

    # --- what there is to see ---------------------------------------------------------------------------------------
    @property
    def sent(self) -> list[tuple[str, int]]:
        """The commands to run a task: (task, attempt)."""
        return [
            (message.task, message.attempt) for message in self.told if isinstance(message, RunTask)
        ]

    @property
    def cancelled(self) -> list[tuple[str, int]]:
        """The commands to stop an attempt."""
        return [
            (message.task, message.attempt)
            for message in self.told
            if isinstance(message, CancelTask)
        ]

    @property
    def run_states(self) -> list[str]:
        """What was told of runs, in order."""
        return [message.state for message in self.told if isinstance(message, RunStateChanged)]

    @property
    def problems(self) -> list[str]:
        """The codes of all refusals."""
        refusals = [
            message
            for message in self.told
            if isinstance(message, InvocationRejected | DeclarationRejected)
        ]
        return [problem.code for refusal in refusals for problem in refusal.problems]

    @property
    def rings(self) -> list[PageTimer]:
        """The rings that wait, the first due first."""
        return [ring for _, _, ring in sorted(self._rings, key=lambda each: each[0])]

    def run(self, run_id: str = "") -> RunView:
        return queries.run(self.store, run_id or self.run_id)

    def run_as_kept(self) -> Run:
        run = self.store.read_run(self.run_id)
        assert run is not None
        return run

    def task(self, name: str, run_id: str = "") -> TaskView:
        return next(task for task in self.run(run_id).tasks if task.task == name)

    def is_at(self, name: str, run_id: str = "") -> str:
        """State and reason of a task, as `"error failed"` or `"started"`."""
        view = self.task(name, run_id)
        return f"{view.state} {view.reason or ''}".strip()

    def fact(self, name: str) -> TaskRun:
        snapshot = self.store.read_run_snapshot(self.run_id)
        assert snapshot is not None
        fact = self.store.read_task(self.run_id, snapshot.plan.index_of[name])
        assert fact is not None
        return fact


def a_graph(tasks: str, **of_task: Any) -> Scene:
    """Tasks on server s, and nothing invoked."""
    scene = Scene()
    scene.declares("s", tasks, **of_task)
    return scene


def a_run(tasks: str, *, declared: dict[str, Any] | None = None, **states: str) -> Scene:
    """The last task is invoked, and the server has said what leads to `states`."""
    scene = a_graph(tasks, **(declared or {}))
    names = [word.partition("<-")[0] for word in tasks.split()]
    scene.run_id = scene.invokes(names[-1], key="k")
    for name in names:
        if states.get(name):
            scene.comes_to(name, states[name])
    return scene

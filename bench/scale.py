"""Scale: one run of 1,000, 10,000 and 100,000 tasks side by side, through the real handlers on the
memory store.

    python bench/scale.py                 all three, each in a process of its own
    python bench/scale.py 10000           one

50 servers declare the tasks: a source upstream of a whole layer (a fan-out of a tenth of the
tasks), eight more layers whose tasks have three or four upstreams, and a target downstream of the
last layer (a fan-in of a tenth). Servers answer at once; a message takes 0.1 ms of virtual time, so
that page timers fire as on AWS. Counted are the effects of cerebro, which are its calls on AWS.
"""

import heapq
import json
import resource
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from itertools import count
from typing import Any, Final, Literal

from cerebro.adapters.aws.dynamodb_chunks import chunks_of_plan
from cerebro.adapters.codecs import encode_task
from cerebro.adapters.memory import MemoryStore
from cerebro.core.effects import Program
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.notices import AnyIncidentTimer, IncidentNotice
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.handlers.receive import program_of
from cerebro.shell import PERFORM, Ports
from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.commands import InvokeTask, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope, detail_json
from cordyna_core.contract.ids import CLIENT, derived_id, run_id_of, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc

SIZES: Final = (1_000, 10_000, 100_000)
SERVERS: Final = 50
LAYERS: Final = 10
NOON: Final = 1_800_000_000.0
STEP_S: Final = 0.0001

WRITES: Final = ("WriteTask", "WriteRun", "WritePageTimer", "WriteOutput", "WriteCachedResult")
READS: Final = (
    "ReadTask",
    "ReadTasks",
    "ReadPage",
    "ReadRun",
    "HasPageTimer",
    "ReadOutputs",
    "ReadGraph",
    "ReadCachedResult",
)


def layered(size: int) -> list[ServerDeclared]:
    """Return the declarations of 50 servers."""
    width = size // LAYERS
    tasks: list[dict[str, Any]] = [{"name": "source"}]
    for layer in range(LAYERS):
        for place in range(width):
            steps = (0, 1, 7, 31) if place % 9 == 0 else (0, 1, 7)
            upstream = (
                [f"l{layer - 1}.t{(place + step) % width}" for step in steps]
                if layer
                else ["source"]
            )
            tasks.append({"name": f"l{layer}.t{place}", "upstream": upstream})
    tasks.append(
        {"name": "target", "upstream": [f"l{LAYERS - 1}.t{place}" for place in range(width)]}
    )
    return [
        ServerDeclared.model_validate({"server": f"server-{n}", "tasks": tasks[n::SERVERS]})
        for n in range(SERVERS)
    ]


class World:
    """Cerebro, and servers that answer at once."""

    def __init__(self) -> None:
        self.now = NOON
        self.store = MemoryStore()
        self.calls: Counter[str] = Counter()
        self.handled = self.events = 0
        self.largest: dict[str, int] = {}
        self._queue: deque[Envelope | FanOut | OverdueCheck] = deque()
        self._timers: list[tuple[float, int, PageTimer]] = []
        self._number = count()
        self.ports = Ports(
            store=self.store, bus=self, timers=self, crons=self, clock=lambda: self.now
        )

    def publish(self, messages: Sequence[Message]) -> None:
        self.events += len(messages)
        for message in messages:
            if isinstance(message, RunTask):
                self._measure(message)
                self._answer(message, "started")
                self._answer(message, "completed")

    def _measure(self, message: Message) -> None:
        kind = type(message).__name__
        # Encode only messages that may be the largest: those with many upstreams.
        if (
            not isinstance(message, RunTask)
            or len(message.upstream) + len(message.upstream_omitted) > 3
            or kind not in self.largest
        ):
            self.largest[kind] = max(self.largest.get(kind, 0), len(detail_json(message)))

    def _answer(self, command: RunTask, state: Literal["started", "completed"]) -> None:
        self.events += 1
        update = TaskStateChanged.model_construct(
            meta=meta_at(
                self.now, derived_id(command.run_id, command.task, command.attempt, state)
            ),
            server=command.server,
            run_id=command.run_id,
            task=command.task,
            attempt=command.attempt,
            state=state,
            output={"rows": 1} if state == "completed" else None,
            reason=None,
            error=None,
            progress=None,
            message=None,
            started_at=None,
        )
        self.put(server_source(command.server), update)

    def put(self, source: str, message: Message) -> None:
        self._queue.append(Envelope(source, message, f"event-{next(self._number)}", utc(self.now)))

    def send_page_timer(self, timer: PageTimer) -> None:
        heapq.heappush(self._timers, (timer.due, next(self._number), timer))

    def send_fan_out(self, fan_out: FanOut) -> None:
        self._queue.append(fan_out)

    def send_overdue_check(self, check: OverdueCheck) -> None:
        self._queue.append(check)

    def send_incident_timer(self, timer: AnyIncidentTimer) -> None:
        pass

    def send_incident_notice(self, notice: IncidentNotice) -> None:
        pass

    def apply(self, graph: Graph) -> None:
        pass

    def settle(self) -> None:
        """Handle messages until none waits."""
        while self._queue:
            while self._timers and self._timers[0][0] <= self.now:
                self._handle(program_of(heapq.heappop(self._timers)[2]))
            self._handle(program_of(self._queue.popleft()))
            self.now += STEP_S

    def _handle(self, program: Program | None) -> None:
        assert program is not None
        self.handled += 1
        calls, ports = self.calls, self.ports
        answer: Any = None
        try:
            while True:
                effect = program.send(answer)
                calls[type(effect).__name__] += 1
                answer = PERFORM[type(effect)](ports, effect)
        except StopIteration:
            return


def measured(size: int) -> dict[str, Any]:
    """Run one graph of that size, and measure it."""
    world = World()
    declared_s = _declare(world, layered(size))
    run_s = _run(world)
    snapshot, facts = _completed(world)
    plan = snapshot.plan
    tasks = sum(not task.is_join for task in plan.tasks)
    return {
        "tasks": tasks,
        "edges": sum(len(task.upstream) for task in plan.tasks),
        "declared_s": declared_s,
        "run_s": run_s,
        "ms_per_task": run_s * 1000 / tasks,
        "events_per_task": world.events / tasks,
        "writes_per_task": sum(world.calls[name] for name in WRITES) / tasks,
        "signs_per_task": world.calls["NoteServer"] / tasks,
        "reads_per_task": sum(world.calls[name] for name in READS) / tasks,
        "handled_per_task": world.handled / tasks,
        "page_timers": world.calls["SendPageTimer"],
        "largest_messages": world.largest,
        "largest_fact": max(len(encode_task(fact)) for fact in facts.values()),
        "largest_plan_item": max(map(len, chunks_of_plan(plan))),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _declare(world: World, declarations: Sequence[ServerDeclared]) -> float:
    """Declare all servers. Returns the processor time that it takes."""
    start = time.process_time()
    for declared in declarations:
        world.put(server_source(declared.server), declared)
        world.largest["ServerDeclared"] = max(
            world.largest.get("ServerDeclared", 0), len(detail_json(declared))
        )
    world.settle()
    return time.process_time() - start


def _run(world: World) -> float:
    """Invoke the target, and let the run end. Returns the processor time that it takes."""
    world.calls.clear()
    world.handled = world.events = 0
    start = time.process_time()
    world.put(CLIENT, InvokeTask(task="target", key="k"))
    world.settle()
    return time.process_time() - start


def _completed(world: World) -> tuple[RunSnapshot, dict[int, TaskRun]]:
    """Return the run and its facts. It has completed, each task at its first attempt."""
    run_id = run_id_of("target", "k")
    run, snapshot = world.store.read_run(run_id), world.store.read_run_snapshot(run_id)
    assert run is not None
    assert snapshot is not None
    assert run.status == "completed", run
    facts = {
        index: fact
        for page in snapshot.plan.pages
        for index, fact in world.store.read_page(run_id, page).items()
    }
    assert len(facts) == snapshot.plan.size
    assert all(fact.is_completed and fact.attempt == 1 for fact in facts.values()), (
        "a false timeout"
    )
    return snapshot, facts


ROWS: Final = (
    ("edges", "edges", "{:,}"),
    ("time of the run, s", "run_s", "{:.2f}"),
    ("ms per task", "ms_per_task", "{:.3f}"),
    ("events per task", "events_per_task", "{:.2f}"),
    ("writes per task", "writes_per_task", "{:.2f}"),
    ("signs of life per task (a store writes one a minute)", "signs_per_task", "{:.2f}"),
    ("strong reads per task", "reads_per_task", "{:.2f}"),
    ("messages handled per task", "handled_per_task", "{:.2f}"),
    ("page timers sent", "page_timers", "{:,}"),
    ("declaring, 50 servers, s", "declared_s", "{:.2f}"),
    ("largest fact, bytes", "largest_fact", "{:,}"),
    ("largest item of the plan, bytes", "largest_plan_item", "{:,}"),
    ("peak memory, MB", "peak_mb", "{:.0f}"),
)


def main(sizes: Sequence[int]) -> None:
    figures = []
    for size in sizes:
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(size)],
            capture_output=True,
            text=True,
            check=True,
        )
        figures.append(json.loads(done.stdout))
    print(_head(figures))
    print("|---|" + "---:|" * len(figures))
    for label, key, form in ROWS:
        print(f"| {label} | {' | '.join(form.format(row[key]) for row in figures)} |")
    for kind in figures[-1]["largest_messages"]:
        print(
            f"| largest {kind}, bytes | "
            f"{' | '.join(format(row['largest_messages'][kind], ',') for row in figures)} |"
        )


def _head(figures: list[dict[str, Any]]) -> str:
    return "| | " + " | ".join(f"{row['tasks']:,} tasks" for row in figures) + " |"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(int(sys.argv[2]))))
    else:
        main([int(size) for size in sys.argv[1:]] or SIZES)

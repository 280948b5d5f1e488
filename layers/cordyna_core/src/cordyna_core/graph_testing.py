"""Graph testing: whole graphs in virtual time, from the tests of a team.

The bodies really run, in the process of the test; cerebro, its bus, timers and crons are the real
ones in memory. Nothing sleeps: a run of three days takes milliseconds.

Invariant: this module imports no cerebro. It finds the installed one by an entry point, as `dyna`
finds its engines.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from cordyna_core.contract.base import ErrorDescription, Message
from cordyna_core.contract.views.runs import RunView, TaskView
from cordyna_core.errors import NotFound, UserError
from cordyna_core.server.options import Duration

if TYPE_CHECKING:
    from cordyna_core.server.task_server import TaskServer

_Item = TypeVar("_Item")

ENTRY_POINT_GROUP: Final = "cordyna.testing"
ENTRY_POINT_NAME: Final = "virtual_graph"

SATURDAY: Final = "2026-01-03T12:00:00Z"
"""Where the clock of a virtual graph begins, if nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRun:
    """One run, as it was when nothing more happened, or when its time was up.

    `events`: what passed the bus of this run, in order. `began_at` and `ended_at` are virtual.
    """

    view: RunView
    began_at: datetime
    ended_at: datetime
    events: Sequence[Message] = field(default=(), repr=False)

    @property
    def state(self) -> str:
        """`completed` or `error`; `running` or `failing` if its time was up before."""
        return self.view.state

    @property
    def took_s(self) -> float:
        """Virtual seconds from its invocation until it ended."""
        return (self.ended_at - self.began_at).total_seconds()

    @property
    def output(self) -> Any:
        """The output of the task that was invoked."""
        return self.task(self.view.task).output

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs of all tasks that have completed, by name."""
        return {task.task: task.output for task in self.view.tasks if task.state == "completed"}

    @property
    def states(self) -> dict[str, str]:
        """`completed`, `error ack_timeout`, `pending blocked`, ... of all tasks, by name."""
        return {task.task: f"{task.state} {task.reason or ''}".strip() for task in self.view.tasks}

    def task(self, name: str) -> TaskView:
        """Return one task run. Raises NotFound."""
        for task in self.view.tasks:
            if task.task == name:
                return task
        known = ", ".join(task.task for task in self.view.tasks)
        raise NotFound(f'the run has no task "{name}"', next=f"use one of: {known}")

    def error(self, name: str) -> ErrorDescription | None:
        """Return the error of a task, as its server or cerebro described it."""
        return self.task(name).error


class VirtualGraph(Protocol):
    """Servers and a cerebro in virtual time.

    `dead`: servers that answer nothing. `late`: for tasks, how long after its command the server
    answers. `lasts`: for tasks, how long the body takes (default: no time).
    """

    dead: set[str]
    late: dict[str, Duration]
    lasts: dict[str, Duration]

    @property
    def now(self) -> datetime: ...

    def invoke(
        self,
        task: str,
        params: Mapping[str, Any] | None = None,
        *,
        within: Duration = "30d",
        **more: Any,
    ) -> GraphRun:
        """Invoke a task and let time pass until its run is over, at most `within`.

        Raises Refusal if cerebro refuses it.
        """
        ...

    def next_tick(self, task: str, *, within: Duration = "30d") -> GraphRun:
        """Let time pass until the next tick of a task's cron, and until its run is over.

        Raises UserError if the task has no cron, or the tick starts no run.
        """
        ...

    def advance(self, by: Duration) -> None:
        """Let time pass; what becomes due on the way happens, and crons fire."""
        ...

    def cancel(self, run: GraphRun) -> GraphRun: ...

    def retry(self, run: GraphRun, *tasks: str) -> GraphRun:
        """Give the failed tasks of a run, or only these, a new attempt, and let it end."""
        ...


def virtual_graph(
    servers: "Iterable[TaskServer]",
    *,
    at: datetime | str = SATURDAY,
    dead: Iterable[str] = (),
    late: Mapping[str, Duration] | None = None,
    lasts: Mapping[str, Duration] | None = None,
    crons: Iterable[str] | None = None,
) -> VirtualGraph:
    """Return the graph of these servers, declared at the virtual time `at`.

    `crons`: the tasks whose crons fire while time passes (default: all that have one).

    Raises:
        UserError: cordyna-cerebro is not installed, a declaration is rejected, or an argument names
            no server or task of the graph.
    """
    names = _several("dead", dead, "names of servers")
    given = _several("servers", servers, "servers")
    for server in given:
        if not hasattr(server, "declaration"):
            raise _wrong("servers", server, "servers")
    firing = None if crons is None else _several("crons", crons, "names of tasks")
    return _installed()(
        given,
        at=at,
        dead=set(names),
        late=_durations("late", late),
        lasts=_durations("lasts", lasts),
        crons=firing,
    )


def run_graph(  # noqa: PLR0913  what a test may say of a graph
    servers: "Iterable[TaskServer]",
    task: str,
    params: Mapping[str, Any] | None = None,
    *,
    at: datetime | str = SATURDAY,
    tick: bool = False,
    dead: Iterable[str] = (),
    late: Mapping[str, Duration] | None = None,
    lasts: Mapping[str, Duration] | None = None,
    within: Duration = "30d",
) -> GraphRun:
    """Run a task with everything upstream of it, in virtual time; see VirtualGraph.

    `tick`: by its next cron tick after `at`, instead of by an invocation. The crons of other tasks
    do not fire meanwhile, so the tick may be years ahead; `virtual_graph` has them all.

    Raises:
        Refusal: cerebro refuses the invocation, with every problem.
        UserError: see `virtual_graph` and `VirtualGraph.next_tick`.
    """
    crons = [task] if tick else None
    graph = virtual_graph(servers, at=at, dead=dead, late=late, lasts=lasts, crons=crons)
    if not tick:
        return graph.invoke(task, params, within=within)
    if params:
        raise UserError("a tick has no params", next="leave out params, or tick=True")
    return graph.next_tick(task, within=within)


def _several(option: str, given: Iterable[_Item], what: str) -> list[_Item]:
    """Return the items of a list; a text, whose letters are not meant, is refused.

    Raises UserError.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise _wrong(option, given, what)
    return list(given)


def _durations(option: str, given: Mapping[str, Duration] | None) -> dict[str, Duration]:
    """Return durations by task. Raises UserError."""
    if given is not None and not isinstance(given, Mapping):
        raise UserError(
            f"{option} holds {given!r:.100}, and not durations by task",
            next=f'write for example {option}={{"load": "8s"}}',
        )
    return dict(given or {})


def _wrong(option: str, given: object, what: str) -> UserError:
    return UserError(
        f"{option} holds {given!r:.100}, and not {what}",
        next=f"pass a list of {what}: {option}=[...]",
    )


def _installed() -> Callable[..., VirtualGraph]:
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=ENTRY_POINT_NAME):
        try:
            return cast("Callable[..., VirtualGraph]", entry.load())
        except ModuleNotFoundError as missing:
            raise _not_installed(f"it needs the package {missing.name}") from missing
    raise _not_installed("no installed package runs graphs in virtual time")


def _not_installed(why: str) -> UserError:
    return UserError(
        "a whole graph cannot be run in this environment",
        why=why,
        next="pip install cordyna-cerebro beside the tests",
    )

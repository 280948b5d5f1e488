"""One message of each kind, as it passes the bus, a quarter of a second apart."""

from cli.run_builders import RUN, T0, at
from cordyna_core.contract.base import ErrorDescription, Message, Problem, RootCause, meta_at
from cordyna_core.contract.commands import (
    CancelRun,
    CancelTask,
    DescribeServer,
    InvokeTask,
    RetryRun,
    RunTask,
)
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationRejected,
    InvocationRejected,
    RunStateChanged,
    ServerStateChanged,
    TaskStateChanged,
)
from cordyna_core.contract.views.runs import PassedEvent

CEREBRO, CLIENT, SCHEDULER, A, B = (
    "cordyna.cerebro",
    "cordyna.client",
    "cordyna.scheduler",
    "cordyna.server.server-a",
    "cordyna.server.server-b",
)
IN_RUN = {"server": "server-a", "run_id": RUN, "task": "task-1"}
FAILED = ErrorDescription(type="ValueError", message="bad row 7")

MESSAGES: list[tuple[str, Message]] = [
    (A, ServerDeclared(server="server-a", tasks=[TaskDeclaration(name="task-1")])),
    (CEREBRO, DeclarationAccepted(server="server-a", generation=1)),
    (
        CEREBRO,
        DeclarationRejected(
            server="server-b", problems=[Problem(code="cycle", message="task-3 needs itself")]
        ),
    ),
    (A, ServerStateChanged(server="server-a", state="ready")),
    (CEREBRO, DescribeServer()),
    (CEREBRO, DescribeServer(server="server-b")),
    (CLIENT, InvokeTask(task="task-3", params={"day": "monday"}, key="k")),
    (SCHEDULER, InvokeTask(task="task-2", scheduled_at=T0)),
    ("cordyna.client.ci", InvokeTask(task="task-9")),
    (
        CEREBRO,
        InvocationRejected(
            event_id="e",
            task="task-9",
            problems=[Problem(code="unknown_task", message="no server declares task-9")],
        ),
    ),
    (
        CEREBRO,
        RunTask.model_validate({**IN_RUN, "attempt": 1, "ack_by": at(10), "start_by": at(600)}),
    ),
    (A, TaskStateChanged.model_validate({**IN_RUN, "attempt": 1, "state": "queued"})),
    (
        A,
        TaskStateChanged.model_validate(
            {
                **IN_RUN,
                "attempt": 1,
                "state": "started",
                "progress": 0.5,
                "message": "reading\nmonday",
            }
        ),
    ),
    (
        A,
        TaskStateChanged.model_validate(
            {**IN_RUN, "attempt": 1, "state": "completed", "output": {"rows": 3}}
        ),
    ),
    (
        A,
        TaskStateChanged.model_validate(
            {**IN_RUN, "attempt": 2, "state": "error", "reason": "failed", "error": FAILED}
        ),
    ),
    (
        CEREBRO,
        RunStateChanged(
            run_id=RUN,
            task="task-3",
            state="error",
            root_causes=[RootCause(task="task-1", server="server-a", reason="failed")],
            blocked=2,
        ),
    ),
    (CLIENT, CancelRun(run_id=RUN)),
    (CLIENT, RetryRun.model_validate({"run_id": RUN, "from": ["task-1"]})),
    (CEREBRO, CancelTask.model_validate({**IN_RUN, "attempt": 2})),
    ("another.source", InvokeTask(task="task-3")),
]


def sealed(source: str, message: Message, after: float) -> str:
    meta = meta_at(T0.timestamp() + after, f"m{after}")
    return seal(message.model_copy(update={"meta": meta}), source, f"e{after}", at(after))


TEXTS = [sealed(source, message, n / 4) for n, (source, message) in enumerate(MESSAGES)] + [
    '"not an\u009b event"'
]
PASSED = [PassedEvent(seq=seq, text=text) for seq, text in enumerate(TEXTS, 1)]
